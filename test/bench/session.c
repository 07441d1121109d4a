// Opens a session: the handshake over Streamable HTTP, or over the old HTTP+SSE transport with its standing stream.
#include "client.h"
#include <poll.h>

#define INITIALIZE                                                                                                      \
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","                 \
  "\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

void exchange(Client *c, const Job *job, const char *method, const char *json) {
  c->id = 0;
  write_message(c, job, method, json);
  while (!c->done) {
    struct pollfd wait = {c->fd, (short)(c->sent < c->out.len ? POLLOUT : POLLIN), 0};
    int ready = poll(&wait, 1, 30000);
    if (ready <= 0 || !push(c) || ((wait.revents & ~POLLOUT) && !pull(c, job))) {
      fprintf(stderr, "%s: %s\n", json[0] ? json : method, failure[0] ? failure : "no answer in time");
      exit(1);
    }
  }
  if (c->closes) {
    close_client(c);
    open_client(c, job);
  }
}

void initialize(Client *c, Job *job) {
  exchange(c, job, "POST", INITIALIZE);
  Span version = text_of(member(member((Span){c->last.at, c->last.len}, "result"), "protocolVersion"));
  if (version.len == 0 || version.len >= sizeof job->version) {
    fprintf(stderr, "no handshake: %.*s\n", (int)c->last.len, c->last.at);
    exit(1);
  }
  memcpy(job->version, version.at, version.len);
  strcpy(job->session, c->session);
}

bool open_session(Client *c, Job *job) {
  initialize(c, job);
  exchange(c, job, "POST", INITIALIZED);
  return job->session[0] != 0;
}

/** Waits for a message that is no reply to a call. */
static void await_event(Client *stream, const Job *job) {
  while (stream->last.len == 0) {
    struct pollfd wait = {stream->fd, POLLIN, 0};
    if (poll(&wait, 1, 30000) > 0 && pull(stream, job) && !stream->done) continue;
    fprintf(stderr, "the stream of the session: %s\n", failure[0] ? failure : "nothing came");
    exit(1);
  }
}

void open_stream(Client *c, const Job *job) {
  Client *stream = c->stream = calloc(1, sizeof *stream);
  stream->owner = c;
  open_client(stream, job);
  write_message(stream, job, "GET", "");
  if (!push(stream)) exit(1);
  await_event(stream, job);
  snprintf(c->path, sizeof c->path, "%.*s", (int)stream->last.len, stream->last.at);
  stream->last.len = 0;
  exchange(c, job, "POST", INITIALIZE);
  await_event(stream, job);
  exchange(c, job, "POST", INITIALIZED);
}
