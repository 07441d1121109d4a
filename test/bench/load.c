// The load generator: C connections, each with one request in flight; it checks every answer and prints one line of JSON.
//   peer load URL [--connections C] [--requests N | --seconds S] [--tool small|large|sink|stream|list] [--name NAME]
//             [--rate N]  (calls a second by the clock, whose times count from when they were due; with --seconds)
//             [--size BYTES] [--count N] [--interval MS] [--session ID] [--timeout S]
//             [--old-transport]  (HTTP+SSE: replies come on the stream of a GET)
//   peer hold URL --connections N [--name NAME] [--no-event | --no-head]     (until stdin ends)
#include "client.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static Job job = {.check = SMALL, .size = 100 * 1024, .count = 10, .open = true, .greeted = true};
static long connections = 1, requests, timeout_s = 60;
static double seconds, rate;
static bool own_session, old_transport;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static struct {
  long issued, right, wrong, events, reconnects, in_flight;
  uint64_t first, last, stop, *times;
  size_t room;
} run;

static int epoll, clock_fd;
static Client **idle; // with --rate: those that wait for the next call that is due
static long idle_count;

static void watch(Client *c, int how) {
  bool left = c->sent < c->out.len;
  struct epoll_event event = {EPOLLIN | (left ? EPOLLOUT : 0), {.ptr = c}};
  if (how == EPOLL_CTL_MOD && left == c->writing) return;
  c->writing = left;
  if (epoll_ctl(epoll, how, c->fd, &event)) die("epoll_ctl");
}

static void reopen(Client *c) {
  run.reconnects++;
  close_client(c);
  open_client(c, &job);
  c->sent = c->out.len;
  watch(c, EPOLL_CTL_ADD);
}

static uint64_t next_due(void) { return run.first + (uint64_t)((double)run.issued * 1e9 / rate); }

static void next_call(Client *c) {
  uint64_t at = now();
  if (rate > 0) {
    uint64_t due = next_due();
    if (due >= run.stop) return;
    if (due > at) {
      idle[idle_count++] = c;
      return;
    }
    at = due;
  }
  if ((requests && run.issued >= requests) || (seconds > 0 && at >= run.stop) || run.wrong > 100) return;
  write_call(c, 1000000000 + ++run.issued);
  c->started = at;
  run.in_flight++;
  if (!push(c)) run.wrong++, run.in_flight--, reopen(c);
  else watch(c, EPOLL_CTL_MOD);
}

static void on_ready(Client *at, uint32_t events) {
  Client *c = at->owner ? at->owner : at;
  bool ok = !(events & EPOLLOUT) || push(at);
  if (ok && events & EPOLLOUT) watch(at, EPOLL_CTL_MOD);
  if (at->done || (at->id == 0 && !at->owner)) {
    // Between requests only an end can come.
    if (events & (EPOLLIN | EPOLLHUP)) reopen(at);
    return;
  }
  if (ok && events & ~(uint32_t)EPOLLOUT) ok = pull(at, &job);
  if (ok && (!c->done || (c->stream && !c->stream->answered))) return;
  run.in_flight--;
  run.last = now();
  run.events += c->stream ? c->stream->events : c->events;
  if (ok) {
    if ((size_t)run.right == run.room) {
      run.room = run.room ? run.room * 2 : 65536;
      run.times = realloc(run.times, run.room * sizeof *run.times);
    }
    run.times[run.right++] = run.last - c->started;
  } else {
    run.wrong++;
  }
  c->done = true;
  if (!ok || c->closes) reopen(c);
  next_call(c);
}

/** Calls that are still to be started by the clock. */
static bool is_due_later(void) { return rate > 0 && idle_count > 0 && next_due() < run.stop && run.wrong <= 100; }

/** Starts what is due, as long as there are clients for it, and sets the clock to the next call. */
static void start_due(void) {
  while (is_due_later() && next_due() <= now()) next_call(idle[--idle_count]);
  // Nothing to wait for but answers: a time that has passed would wake it again and again.
  uint64_t due = is_due_later() ? next_due() : 0;
  struct itimerspec at = {{0, 0}, {(time_t)(due / 1000000000u), (long)(due % 1000000000u)}};
  timerfd_settime(clock_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static double quantile(double q) {
  if (run.right == 0) return 0;
  return (double)run.times[(size_t)((double)(run.right - 1) * q)] / 1000;
}

static int drive(Client *clients) {
  struct epoll_event events[256];
  run.first = now();
  run.stop = run.first + (uint64_t)(seconds * 1e9);
  uint64_t until = run.first + (uint64_t)timeout_s * 1000000000u;
  for (long i = 0; i < connections; i++) {
    // What was built is not sent before its time has come.
    clients[i].sent = clients[i].out.len;
    watch(&clients[i], EPOLL_CTL_ADD);
    if (clients[i].stream) watch(clients[i].stream, EPOLL_CTL_ADD);
  }
  if (rate > 0) {
    idle = calloc((size_t)connections, sizeof *idle);
    clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {EPOLLIN, {.ptr = &clock_fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, clock_fd, &event);
  }
  for (long i = 0; i < connections; i++) next_call(&clients[i]);
  while ((run.in_flight > 0 || is_due_later()) && now() < until) {
    if (rate > 0) start_due();
    int count = epoll_wait(epoll, events, 256, 1000);
    for (int i = 0; i < count; i++)
      if (events[i].data.ptr != &clock_fd) on_ready(events[i].data.ptr, events[i].events);
  }
  if (run.in_flight > 0 && !failure[0]) snprintf(failure, sizeof failure, "%ld unanswered in time", run.in_flight);
  run.wrong += run.in_flight;
  if (run.right) qsort(run.times, (size_t)run.right, sizeof *run.times, by_value);
  // By the clock the last answers come after the time in which calls were started.
  double took = rate > 0 ? seconds : (double)(run.last - run.first) / 1e9;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  printf("{\"requests\":%ld,\"errors\":%ld,\"seconds\":%.4f,\"rate\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
         "\"events\":%ld,\"reconnects\":%ld,\"cpuUs\":%.2f,\"firstError\":\"%s\"}\n",
         run.right, run.wrong, took, run.right ? (double)run.right / took : 0, quantile(0.5), quantile(0.9), quantile(0.99),
         run.events, run.reconnects, run.right ? cpu / (double)run.right : 0, failure);
  return run.wrong > 0 || run.right == 0;
}

/** Opens silent calls, says when they are open, and keeps them until stdin ends. */
static int hold(Client *clients) {
  long heads = 0, closed = 0;
  uint64_t until = now() + (uint64_t)(job.open ? timeout_s : 1) * 1000000000u;
  struct epoll_event events[256], stdin_event = {EPOLLIN, {.ptr = NULL}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &stdin_event);
  for (long i = 0; i < connections; i++) {
    write_call(&clients[i], 1000000000 + i);
    if (!push(&clients[i])) die("send");
    watch(&clients[i], EPOLL_CTL_ADD);
  }
  for (bool told = false;;) {
    if (!told && (heads + closed >= connections || now() > until)) {
      printf("{\"connections\":%ld,\"heads\":%ld,\"closed\":%ld}\n", connections, heads, closed);
      fflush(stdout);
      told = true;
    }
    int count = epoll_wait(epoll, events, 256, told ? 1000 : 50);
    for (int i = 0; i < count; i++) {
      Client *c = events[i].data.ptr;
      char byte;
      if (!c) {
        if (read(0, &byte, 1) > 0) continue;
        printf("{\"connections\":%ld,\"heads\":%ld,\"closed\":%ld,\"firstError\":\"%s\"}\n", connections, heads, closed,
               failure);
        return closed > 0;
      }
      bool had_head = c->has_head;
      if (!pull(c, &job) || c->done) {
        closed++;
        epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
      } else if (!had_head && c->has_head && c->status == 200) heads++;
    }
  }
}

static Check check_of(const char *tool) {
  static const char *const names[] = {"small", "large", "sink", "stream", "list", "hang"};
  for (int i = 0; i < 6; i++)
    if (!strcmp(tool, names[i])) return (Check)i;
  fprintf(stderr, "no such tool: %s\n", tool);
  exit(2);
}

int load_main(int argc, char **argv) {
  bool holding = !strcmp(argv[1], "hold");
  const char *tool = holding ? "hang" : "small";
  if (argc > 2) read_url(&job, argv[2]);
  for (int i = 3; i < argc; i++) {
    const char *flag = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(flag, "--no-head")) {
      job.open = false;
      continue;
    }
    if (!strcmp(flag, "--no-event")) {
      job.greeted = false;
      continue;
    }
    if (!strcmp(flag, "--old-transport")) {
      old_transport = true;
      continue;
    }
    i++;
    if (!strcmp(flag, "--connections")) connections = atol(value);
    else if (!strcmp(flag, "--requests")) requests = atol(value);
    else if (!strcmp(flag, "--seconds")) seconds = atof(value);
    else if (!strcmp(flag, "--rate")) rate = atof(value);
    else if (!strcmp(flag, "--tool")) tool = value;
    else if (!strcmp(flag, "--name")) snprintf(job.name, sizeof job.name, "%s", value);
    else if (!strcmp(flag, "--size")) job.size = atol(value);
    else if (!strcmp(flag, "--count")) job.count = atol(value);
    else if (!strcmp(flag, "--interval")) job.interval = atol(value);
    else if (!strcmp(flag, "--session")) snprintf(job.session, sizeof job.session, "%s", value);
    else if (!strcmp(flag, "--token")) snprintf(job.token, sizeof job.token, "%s", value);
    else if (!strcmp(flag, "--timeout")) timeout_s = atol(value);
    else fprintf(stderr, "unknown: %s\n", flag), exit(2);
  }
  if (!requests && seconds <= 0) requests = 1;
  job.check = check_of(tool);
  if (!job.name[0]) strcpy(job.name, tool);
  signal(SIGPIPE, SIG_IGN);
  Client *clients = calloc((size_t)connections, sizeof *clients);
  for (long i = 0; i < connections; i++) open_client(&clients[i], &job);
  for (long i = 0; old_transport && i < connections; i++) open_stream(&clients[i], &job);
  if (!old_transport && !job.session[0]) own_session = open_session(&clients[0], &job);
  for (long i = 0; i < connections; i++) build_call(&clients[i], &job);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int status = holding ? hold(clients) : drive(clients);
  if (own_session && !holding) {
    close_client(&clients[0]);
    open_client(&clients[0], &job);
    Client end = clients[0];
    end.id = 0;
    write_message(&end, &job, "DELETE", "");
    struct pollfd wait = {end.fd, POLLIN, 0};
    if (push(&end)) poll(&wait, 1, 1000);
  }
  return status;
}
