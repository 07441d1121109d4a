// What an MCP message asks of the bench backend; the HTTP and the stdio side share it.
#ifndef PEER_H
#define PEER_H
#include "wire.h"

typedef enum { NOTHING, REPLY, STREAM, HANG, HANG_OPEN } Kind;

/** A stream to send: that many notifications, one each `interval` ms (0: all at once), then the result. */
typedef struct {
  char id[64], token[64];
  long count, interval, sent;
} Plan;

/** Writes the reply to `out`, or fills the plan of a stream. */
Kind answer(Span message, Buf *out, Plan *plan);
/** The next message of a stream; true for the last one, its result. */
bool next_event(Plan *plan, Buf *out);
void prepare_tools(int count);
#endif
