// The HTTP side of the bench backend: epoll, keep-alive, Streamable HTTP with JSON replies and event streams.
#include "peer.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

typedef struct Conn {
  int fd;
  bool writing;
  Buf in, out, body;
  size_t out_off;
  size_t head, length; // of the request that is being read; head 0 while it is incomplete
  bool chunked;
  Chunks chunks;
  Plan plan;
  long due;
  int slot; // in `streams`, or -1
} Conn;

static int epoll, timer;
static Conn **streams;
static int stream_count, stream_room;
static long tick, spread_ms;
static bool silent;
static Buf scratch;

static void set_timer(bool on) {
  struct itimerspec every = {{0, on ? 1000000 : 0}, {0, on ? 1000000 : 0}};
  timerfd_settime(timer, 0, &every, NULL);
}

static void leave_streams(Conn *c) {
  if (c->slot < 0) return;
  streams[c->slot] = streams[--stream_count];
  streams[c->slot]->slot = c->slot;
  c->slot = -1;
  if (stream_count == 0) set_timer(false);
}

static void join_streams(Conn *c) {
  if (stream_count == stream_room) {
    stream_room = stream_room ? stream_room * 2 : 64;
    streams = realloc(streams, sizeof(Conn *) * (size_t)stream_room);
  }
  if (stream_count == 0) set_timer(true);
  c->slot = stream_count;
  streams[stream_count++] = c;
}

static void end(Conn *c) {
  leave_streams(c);
  close(c->fd);
  free(c->in.at);
  free(c->out.at);
  free(c->body.at);
  free(c);
}

/** Writes what it can; false where the connection is gone. */
static bool flush(Conn *c) {
  while (c->out_off < c->out.len) {
    ssize_t wrote = send(c->fd, c->out.at + c->out_off, c->out.len - c->out_off, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return false;
    if (wrote < 0) break;
    c->out_off += (size_t)wrote;
  }
  bool left = c->out_off < c->out.len;
  if (!left) c->out.len = c->out_off = 0;
  if (left != c->writing) {
    struct epoll_event event = {EPOLLIN | (left ? EPOLLOUT : 0), {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    c->writing = left;
  }
  return true;
}

/** One message as an event in a chunk of its own, as servers send them. True for the last one. */
static bool add_event(Conn *c) {
  scratch.len = 0;
  add(&scratch, "event: message\ndata: ", 21);
  bool last = next_event(&c->plan, &scratch);
  add(&scratch, "\n\n", 2);
  addf(&c->out, "%zx\r\n", scratch.len);
  add(&c->out, scratch.at, scratch.len);
  add(&c->out, "\r\n", 2);
  if (last) add(&c->out, "0\r\n\r\n", 5);
  return last;
}

static const char sse_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                               "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";

static void respond(Conn *c, Span head, Span body) {
  if (silent) return;
  if (!starts(head, "POST ")) {
    bool gone = starts(head, "DELETE ");
    addf(&c->out, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n", gone ? "200 OK" : "405 Method Not Allowed",
         gone ? "" : "Allow: POST, DELETE\r\n");
    return;
  }
  scratch.len = 0;
  Kind kind = answer(body, &scratch, &c->plan);
  if (kind == NOTHING) addf(&c->out, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  if (kind == REPLY) {
    bool opens = memmem(body.at, body.len < 4096 ? body.len : 4096, "\"initialize\"", 12) != NULL;
    static int sessions;
    addf(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
    if (opens) addf(&c->out, "Mcp-Session-Id: bench-%d-%d\r\n", (int)getpid(), ++sessions);
    addf(&c->out, "Content-Length: %zu\r\n\r\n", scratch.len);
    add(&c->out, scratch.at, scratch.len);
  }
  if (kind == STREAM || kind == HANG_OPEN) add(&c->out, sse_head, sizeof sse_head - 1);
  // A stream that was greeted has passed the head; one that was not may still wait for it at a gateway.
  if (kind == HANG_OPEN && c->plan.count > 0) add_event(c);
  if (kind != STREAM) return;
  if (c->plan.interval > 0) {
    static long spread;
    if (spread_ms > 0) spread = (spread + 7) % spread_ms;
    c->due = tick + c->plan.interval + spread;
    join_streams(c);
    return;
  }
  while (!add_event(c)) continue;
}

/** Takes every request that is complete; false where the bytes are no HTTP. */
static bool take_requests(Conn *c) {
  for (;;) {
    if (c->head == 0) {
      char *found = c->in.len ? memmem(c->in.at, c->in.len, "\r\n\r\n", 4) : NULL;
      if (!found) return c->in.len < 65536;
      c->head = (size_t)(found - c->in.at) + 4;
      Span head = {c->in.at, c->head};
      c->length = (size_t)number_of(header(head, "content-length"), 0);
      c->chunked = starts(header(head, "transfer-encoding"), "chunked");
      c->chunks = (Chunks){0};
      c->body.len = 0;
    }
    if (c->chunked) {
      ssize_t took = unchunk(&c->chunks, c->in.at + c->head, c->in.len - c->head, &c->body);
      if (took < 0) return false;
      // The head stays in front: it is still needed.
      memmove(c->in.at + c->head, c->in.at + c->head + took, c->in.len - c->head - (size_t)took);
      c->in.len -= (size_t)took;
      if (c->chunks.state != 4) return true;
      respond(c, (Span){c->in.at, c->head}, (Span){c->body.at, c->body.len});
      drop(&c->in, c->head);
    } else {
      if (c->in.len - c->head < c->length) return true;
      respond(c, (Span){c->in.at, c->head}, (Span){c->in.at + c->head, c->length});
      drop(&c->in, c->head + c->length);
    }
    c->head = 0;
  }
}

static void serve_readable(Conn *c) {
  for (;;) {
    reserve(&c->in, 4096);
    size_t room = c->in.cap - c->in.len;
    ssize_t got = recv(c->fd, c->in.at + c->in.len, room, 0);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return end(c);
    c->in.len += (size_t)got;
    if ((size_t)got < room) break;
    reserve(&c->in, c->in.cap);
  }
  if (!take_requests(c) || !flush(c)) end(c);
}

static void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Conn *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->slot = -1;
    struct epoll_event event = {EPOLLIN, {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

/** Sends each stream's next event. One that cannot be written now waits, as a server that respects its client does. */
static void on_tick(void) {
  uint64_t passed;
  if (read(timer, &passed, sizeof passed) < 0) return;
  tick += (long)passed;
  for (int i = stream_count - 1; i >= 0; i--) {
    Conn *c = streams[i];
    if (c->due > tick || c->out.len > 0) continue;
    c->due = tick + c->plan.interval;
    if (add_event(c)) leave_streams(c);
    if (!flush(c)) end(c);
  }
}

int serve_main(int port, bool mute, long spread) {
  silent = mute;
  spread_ms = spread;
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) die("listen");
  socklen_t len = sizeof address;
  getsockname(listener, (struct sockaddr *)&address, &len);
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);

  epoll = epoll_create1(EPOLL_CLOEXEC);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  static char is_listener, is_timer, is_stdin;
  struct epoll_event event = {EPOLLIN, {.ptr = &is_listener}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  event.data.ptr = &is_timer;
  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
  // It ends with whoever started it: nothing is left behind by a bench that was killed.
  event.data.ptr = &is_stdin;
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);

  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      void *at = events[i].data.ptr;
      char byte;
      if (at == &is_listener) accept_all(listener);
      else if (at == &is_timer) continue;
      else if (at == &is_stdin) {
        if (read(0, &byte, 1) <= 0) return 0;
      } else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) serve_readable(at);
      else if (!flush(at)) end(at);
    }
    // Last, because it may end connections that still have an event in this round.
    for (int i = 0; i < count; i++)
      if (events[i].data.ptr == &is_timer) on_tick();
  }
}
