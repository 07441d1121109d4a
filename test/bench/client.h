// One connection of the load generator, with one request in flight.
#ifndef CLIENT_H
#define CLIENT_H
#include "wire.h"

typedef enum { SMALL, LARGE, SINK, STREAMED, LIST, HANGING, ANY } Check;

/** What to send and what must come back; the same for every connection. */
typedef struct {
  char host[64], port[8], path[256], session[256], version[32], name[128], token[2048];
  Check check;
  long size, count, interval; // of the argument, of the notifications or tools that must come, between notifications
  bool open, greeted;         // hang behind the head of a stream, behind its first event
} Job;

typedef struct Client {
  int fd;
  bool writing, has_head, chunked, sse, until_end, done, closes, answered;
  int status;
  size_t sent, length;
  long id, events;
  size_t marks[2]; // where the id stands in the request
  uint64_t started;
  Buf out, in, body, last;
  Chunks chunks;
  char session[256], path[256];
  struct Client *stream, *owner; // of the old HTTP+SSE transport: where replies come, and whose they are
} Client;

extern char failure[256];

/** False where nobody listens. */
bool try_open(Client *c, const Job *job);
void open_client(Client *c, const Job *job);
void read_url(Job *job, const char *url);
void close_client(Client *c);
/** Sends a message of its own kind (the handshake); the reply is kept in `last`. */
void write_message(Client *c, const Job *job, const char *method, const char *json);
/** The first half of the handshake; fills the job's session and version. */
void initialize(Client *c, Job *job);
/** The whole handshake; false where the server knows no sessions. */
bool open_session(Client *c, Job *job);
/** Opens the stream on which replies to posted messages come, and a session of its own (the HTTP+SSE transport). */
void open_stream(Client *c, const Job *job);
/** Sends one message and waits for the whole reply; it ends the program if none comes. */
void exchange(Client *c, const Job *job, const char *method, const char *json);
/** Builds the request of the job once; `write_call` then only sets the id. */
void build_call(Client *c, const Job *job);
void write_call(Client *c, long id);
/** Sends what is left of the request; false where the connection is gone. */
bool push(Client *c);
/** Reads what has come. `done` says that the reply is complete; false is a failure, told in `failure`. */
bool pull(Client *c, const Job *job);
#endif
