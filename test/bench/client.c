// A keep-alive HTTP/1.1 client over a raw socket that looks at every byte of a reply that matters.
#include "client.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

char failure[256];

static bool fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (!failure[0]) vsnprintf(failure, sizeof failure, format, list);
  va_end(list);
  for (char *p = failure; *p; p++)
    if (*p == '"' || *p == '\\' || *p < ' ') *p = '\'';
  return false;
}

void read_url(Job *job, const char *url) {
  if (sscanf(url, "http://%63[^:/]:%7[0-9]%255s", job->host, job->port, job->path) == 3) return;
  fprintf(stderr, "the URL must be http://ADDRESS:PORT/PATH: %s\n", url);
  exit(2);
}

bool try_open(Client *c, const Job *job) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(job->port))};
  if (inet_pton(AF_INET, job->host, &to.sin_addr) != 1) die("the host must be an IPv4 address");
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) {
    close(c->fd);
    return false;
  }
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->in.len = 0;
  c->writing = false;
  return true;
}

void open_client(Client *c, const Job *job) {
  if (!try_open(c, job)) die("connect");
}

void close_client(Client *c) {
  close(c->fd);
  c->fd = -1;
}

/** For `%.*s`: no more of it than a message needs. */
static int some(Span s) { return s.len < 100 ? (int)s.len : 100; }

static void begin(Client *c) {
  c->has_head = c->done = c->answered = c->closes = false;
  c->body.len = c->last.len = c->sent = 0;
  c->events = 0;
  c->chunks = (Chunks){0};
}

static void build(Client *c, const Job *job, const char *method, const char *json, size_t len) {
  c->out.len = 0;
  addf(&c->out,
       "%s %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\nAccept: application/json, "
       "text/event-stream\r\n",
       method, c->path[0] ? c->path : job->path, job->host, job->port);
  if (job->token[0]) addf(&c->out, "Authorization: Bearer %s\r\n", job->token);
  if (job->session[0]) addf(&c->out, "Mcp-Session-Id: %s\r\n", job->session);
  if (job->version[0]) addf(&c->out, "MCP-Protocol-Version: %s\r\n", job->version);
  if (len) addf(&c->out, "Content-Length: %zu\r\n", len);
  add(&c->out, "\r\n", 2);
  add(&c->out, json, len);
}

void write_message(Client *c, const Job *job, const char *method, const char *json) {
  begin(c);
  c->session[0] = 0;
  build(c, job, method, json, strlen(json));
}

#define MARK "1000000000"

void build_call(Client *c, const Job *job) {
  Buf json = {0};
  if (job->check == LIST) {
    addf(&json, "{\"jsonrpc\":\"2.0\",\"id\":" MARK ",\"method\":\"tools/list\",\"params\":{}}");
  } else {
    addf(&json, "{\"jsonrpc\":\"2.0\",\"id\":" MARK ",\"method\":\"tools/call\",\"params\":{\"name\":\"%s\",", job->name);
    if (job->check == SINK) {
      addf(&json, "\"arguments\":{\"data\":\"");
      reserve(&json, (size_t)job->size);
      memset(json.at + json.len, 'y', (size_t)job->size);
      json.len += (size_t)job->size;
      addf(&json, "\"}}}");
    } else if (job->check == STREAMED) {
      addf(&json, "\"arguments\":{\"count\":%ld,\"interval\":%ld},\"_meta\":{\"progressToken\":" MARK "}}}", job->count,
           job->interval);
    } else if (job->check == HANGING) {
      addf(&json, "\"arguments\":{\"open\":%s,\"greetings\":%d}}}", job->open ? "true" : "false", job->greeted);
    } else {
      addf(&json, "\"arguments\":{\"path\":\"/a/path/of/a/usual/length.txt\",\"limit\":10}}}");
    }
  }
  build(c, job, "POST", json.at, json.len);
  free(json.at);
  memset(c->marks, 0, sizeof c->marks);
  const char *from = c->out.at, *end = c->out.at + c->out.len;
  for (int i = 0; i < 2; i++) {
    const char *found = memmem(from, (size_t)(end - from), MARK, 10);
    if (!found) break;
    c->marks[i] = (size_t)(found - c->out.at);
    from = found + 10;
  }
}

void write_call(Client *c, long id) {
  char digits[24];
  snprintf(digits, sizeof digits, "%010ld", id);
  for (int i = 0; i < 2; i++)
    if (c->marks[i]) memcpy(c->out.at + c->marks[i], digits, 10);
  begin(c);
  c->id = id;
  if (!c->stream) return;
  c->stream->id = id;
  c->stream->events = 0;
  c->stream->answered = false;
}

bool push(Client *c) {
  while (c->sent < c->out.len) {
    ssize_t wrote = send(c->fd, c->out.at + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
    if (wrote < 0) return errno == EAGAIN || fail("send: %s", strerror(errno));
    c->sent += (size_t)wrote;
  }
  return true;
}

static bool check_text(const Job *job, Span text) {
  if (job->check == LARGE) {
    // Each byte equals its neighbour, and the first one is an x.
    if (text.len != LARGE_BYTES) return fail("a text of %zu bytes", text.len);
    return (text.at[0] == 'x' && memcmp(text.at, text.at + 1, text.len - 1) == 0) || fail("other bytes");
  }
  char expected[32];
  snprintf(expected, sizeof expected, "%ld", job->size);
  const char *right = job->check == SINK ? expected : SMALL_TEXT;
  return is(text, right) || fail("a text of %zu bytes: %.*s", text.len, some(text), text.at);
}

static bool check_result(const Client *c, const Job *job, Span result) {
  const char *end = result.at + result.len;
  if (job->check == LIST) {
    long found = 0;
    for (const char *p = result.at; (p = memmem(p, (size_t)(end - p), "\"inputSchema\"", 13)); p += 13) found++;
    return found == job->count || fail("%ld tools, and not %ld", found, job->count);
  }
  if (job->check == STREAMED && c->events != job->count) return fail("%ld events, and not %ld", c->events, job->count);
  Span content = member(result, "content");
  if (content.len < 2 || content.at[0] != '[') return fail("no content: %.*s", some(result), result.at);
  const char *first = skip_space(content.at + 1, end);
  return check_text(job, text_of(member((Span){first, (size_t)(content.at + content.len - first)}, "text")));
}

static bool take_message(Client *c, const Job *job, Span message) {
  static const char *const names[] = {"id", "method", "params", "result"};
  Span got[4];
  if (c->id == 0) {
    c->last.len = 0;
    add(&c->last, message.at, message.len);
    return true;
  }
  if (!members(message, 4, names, got)) return fail("not an object: %.*s", some(message), message.at);
  if (got[1].len) {
    c->events++;
    Span token = member(got[2], "progressToken");
    return token.len == 0 || number_of(token, 0) == c->id || fail("the token %.*s", some(token), token.at);
  }
  if (number_of(got[0], 0) != c->id) return fail("the id %.*s, and not %ld", some(got[0]), got[0].at, c->id);
  if (got[3].len == 0) return fail("%.*s", some(message), message.at);
  if (c->answered) return fail("two results");
  c->answered = true;
  return check_result(c, job, got[3]);
}

/** Takes the events that are complete out of `body`. Comments and events without data are there to be ignored. */
static bool take_events(Client *c, const Job *job) {
  size_t from = 0;
  bool right = true;
  for (char *end; right && (end = memmem(c->body.at + from, c->body.len - from, "\n\n", 2));) {
    size_t next = (size_t)(end - c->body.at) + 2;
    for (const char *line = c->body.at + from; line < end;) {
      const char *eol = memchr(line, '\n', (size_t)(end + 1 - line));
      if (eol - line > 6 && memcmp(line, "data: ", 6) == 0)
        right = right && take_message(c, job, (Span){line + 6, (size_t)(eol - line - 6)});
      line = eol + 1;
    }
    from = next;
  }
  drop(&c->body, from);
  return right;
}

static bool finish(Client *c, const Job *job, Span body) {
  c->done = true;
  if (c->stream) return c->status == 202 || fail("HTTP %d, and not 202", c->status);
  if (c->status != 200 && (c->id != 0 || c->status != 202))
    return fail("HTTP %d: %.*s", c->status, some(body), body.at);
  if (!c->sse && body.len && !take_message(c, job, body)) return false;
  return c->id == 0 || c->answered || fail("no result");
}

static bool take_head(Client *c) {
  char *found = c->in.len ? memmem(c->in.at, c->in.len, "\r\n\r\n", 4) : NULL;
  if (!found) return true;
  Span head = {c->in.at, (size_t)(found - c->in.at) + 4};
  if (!starts(head, "HTTP/1.1 ")) return fail("no HTTP/1.1: %.*s", some(head), head.at);
  c->status = atoi(c->in.at + 9);
  Span length = header(head, "content-length"), session = header(head, "mcp-session-id");
  c->chunked = starts(header(head, "transfer-encoding"), "chunked");
  c->sse = starts(header(head, "content-type"), "text/event-stream");
  c->closes = starts(header(head, "connection"), "close");
  c->until_end = !c->chunked && length.len == 0 && c->status != 204;
  c->length = (size_t)number_of(length, 0);
  if (session.len && session.len < sizeof c->session) {
    memcpy(c->session, session.at, session.len);
    c->session[session.len] = 0;
  }
  c->has_head = true;
  drop(&c->in, head.len);
  return true;
}

static bool take(Client *c, const Job *job) {
  if (!c->has_head && !take_head(c)) return false;
  if (!c->has_head || c->done) return true;
  if (!c->chunked && !c->sse && !c->until_end) {
    if (c->in.len < c->length) return true;
    bool right = finish(c, job, (Span){c->in.at, c->length});
    drop(&c->in, c->length);
    return right;
  }
  ssize_t took = (ssize_t)c->in.len;
  if (c->chunked) took = unchunk(&c->chunks, c->in.at, c->in.len, &c->body);
  else add(&c->body, c->in.at, c->in.len);
  if (took < 0) return fail("a broken chunk");
  drop(&c->in, (size_t)took);
  if (!c->chunked && !c->until_end) c->length -= (size_t)took;
  if (c->sse && !take_events(c, job)) return false;
  bool complete = c->chunked ? c->chunks.state == 4 : !c->until_end && c->length == 0;
  return !complete || finish(c, job, (Span){c->body.at, c->sse ? 0 : c->body.len});
}

bool pull(Client *c, const Job *job) {
  for (;;) {
    reserve(&c->in, 4096);
    size_t room = c->in.cap - c->in.len;
    ssize_t got = recv(c->fd, c->in.at + c->in.len, room, 0);
    if (got < 0) return errno == EAGAIN || fail("recv: %s", strerror(errno));
    if (got == 0) {
      c->closes = true;
      if (c->has_head && c->until_end && !c->done) return finish(c, job, (Span){c->body.at, c->sse ? 0 : c->body.len});
      return c->done || fail("closed before the reply was complete");
    }
    c->in.len += (size_t)got;
    if (!take(c, job)) return false;
    if (c->done || (size_t)got < room) return true;
    if (c->in.cap < 1 << 18) reserve(&c->in, c->in.cap);
  }
}
