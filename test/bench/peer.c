// The bench's other ends in one program: a backend that costs next to nothing (HTTP or stdio), and the load generator.
// cc -O2 -o peer peer.c serve.c load.c client.c start.c
//   peer serve PORT [--tools N] [--mute] [--spread MS]   peer stdio [--tools N]   peer load|hold URL …
//   peer start URL COMMAND …
#include "peer.h"
#include <sys/resource.h>
#include <unistd.h>

static Buf tools, large;

/** As many tools as asked for, with descriptions and schemas of a usual size; the ones that can be called come first. */
void prepare_tools(int count) {
  static const char *const real[] = {"small", "large", "sink", "stream", "hang"};
  add(&tools, "{\"tools\":[", 10);
  for (int i = 0; i < count || i < 5; i++) {
    char name[32];
    if (i < 5) strcpy(name, real[i]);
    else snprintf(name, sizeof name, "tool_%04d", i);
    addf(&tools,
         "%s{\"name\":\"%s\",\"description\":\"Does what a tool of a usual server does, and says so in a sentence or two "
         "of a usual length.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\","
         "\"description\":\"Where to look.\"},\"limit\":{\"type\":\"integer\",\"minimum\":1},\"data\":{\"type\":\"string\"}}}}",
         i ? "," : "", name);
  }
  add(&tools, "]}", 2);
  reserve(&large, LARGE_BYTES);
  memset(large.at, 'x', LARGE_BYTES);
  large.len = LARGE_BYTES;
}

static void copy_span(char *to, size_t room, Span from) {
  size_t len = from.len < room - 1 ? from.len : room - 1;
  if (len) memcpy(to, from.at, len);
  to[len] = 0;
}

static void begin(Buf *out, Span id) {
  add(out, "{\"jsonrpc\":\"2.0\",\"id\":", 22);
  add(out, id.at, id.len);
}

static Kind result(Buf *out, Span id, const char *json, size_t len) {
  begin(out, id);
  add(out, ",\"result\":", 10);
  add(out, json, len);
  add(out, "}", 1);
  return REPLY;
}

static Kind text_result(Buf *out, Span id, const char *text, size_t len) {
  begin(out, id);
  add(out, ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"", 45);
  add(out, text, len);
  add(out, "\"}]}}", 5);
  return REPLY;
}

static Kind call(Buf *out, Plan *plan, Span id, Span params) {
  static const char *const param_names[] = {"name", "arguments", "_meta"};
  Span param[3];
  members(params, 3, param_names, param);
  Span name = text_of(param[0]);
  if (is(name, "large")) return text_result(out, id, large.at, large.len);
  if (is(name, "sink")) {
    char text[32];
    int len = snprintf(text, sizeof text, "%zu", text_of(member(param[1], "data")).len);
    return text_result(out, id, text, (size_t)len);
  }
  if (!is(name, "hang") && !is(name, "stream")) return text_result(out, id, SMALL_TEXT, strlen(SMALL_TEXT));
  memset(plan, 0, sizeof *plan);
  if (is(name, "hang")) {
    plan->count = number_of(member(param[1], "greetings"), 0);
    return is(member(param[1], "open"), "true") ? HANG_OPEN : HANG;
  }
  copy_span(plan->id, sizeof plan->id, id);
  copy_span(plan->token, sizeof plan->token, member(param[2], "progressToken"));
  plan->count = number_of(member(param[1], "count"), 10);
  plan->interval = number_of(member(param[1], "interval"), 0);
  return STREAM;
}

Kind answer(Span message, Buf *out, Plan *plan) {
  static const char *const names[] = {"id", "method", "params"};
  Span got[3];
  if (!members(message, 3, names, got) || got[0].len == 0 || got[1].len == 0) return NOTHING;
  Span id = got[0], method = text_of(got[1]);
  if (is(method, "tools/call")) return call(out, plan, id, got[2]);
  if (is(method, "tools/list")) return result(out, id, tools.at, tools.len);
  if (is(method, "initialize")) {
    Span version = text_of(member(got[2], "protocolVersion"));
    char json[256];
    // An older client would refuse a revision that it does not know, so that each gets the one it asked for.
    int len = snprintf(json, sizeof json,
                       "{\"protocolVersion\":\"%.*s\",\"capabilities\":{\"tools\":{}},"
                       "\"serverInfo\":{\"name\":\"bench\",\"version\":\"1\"}}",
                       (int)(version.len < 32 ? version.len : 0), version.at);
    return result(out, id, json, (size_t)len);
  }
  if (is(method, "ping")) return result(out, id, "{}", 2);
  begin(out, id);
  addf(out, ",\"error\":{\"code\":-32601,\"message\":\"no such method\"}}");
  return REPLY;
}

bool next_event(Plan *plan, Buf *out) {
  if (plan->sent == plan->count) {
    text_result(out, (Span){plan->id, strlen(plan->id)}, SMALL_TEXT, strlen(SMALL_TEXT));
    return true;
  }
  plan->sent++;
  if (plan->token[0])
    addf(out,
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":%ld,"
         "\"total\":%ld,\"message\":\"one more step of the work is done\"}}",
         plan->token, plan->sent, plan->count);
  else
    addf(out,
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"step %ld of "
         "%ld of the work is done\"}}",
         plan->sent, plan->count);
  return false;
}

static void write_all(Buf *out) {
  for (size_t done = 0; done < out->len;) {
    ssize_t wrote = write(1, out->at + done, out->len - done);
    if (wrote <= 0) exit(0);
    done += (size_t)wrote;
  }
  out->len = 0;
}

/** Answers every line that one read brought with one write. Streams are sent as fast as the pipe takes them. */
static int stdio_main(void) {
  Buf in = {0}, out = {0};
  for (;;) {
    reserve(&in, 1 << 16);
    ssize_t got = read(0, in.at + in.len, in.cap - in.len);
    if (got <= 0) return 0;
    size_t start = 0, from = in.len;
    in.len += (size_t)got;
    for (char *eol; (eol = memchr(in.at + from, '\n', in.len - from)); start = from) {
      Plan plan;
      Kind kind = answer((Span){in.at + start, (size_t)(eol - in.at) - start}, &out, &plan);
      from = (size_t)(eol - in.at) + 1;
      if (kind == REPLY) add(&out, "\n", 1);
      for (bool last = kind != STREAM; !last;) {
        last = next_event(&plan, &out);
        add(&out, "\n", 1);
      }
    }
    drop(&in, start);
    write_all(&out);
  }
}

int main(int argc, char **argv) {
  struct rlimit files;
  // Thousands of held streams need as many descriptors.
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const char *mode = argc > 1 ? argv[1] : "";
  int tool_count = 5;
  bool mute = false;
  long spread = 0; // of the time that calls of `stream` take, in ms
  for (int i = 2; i < argc; i++) {
    if (!strcmp(argv[i], "--tools") && i + 1 < argc) tool_count = atoi(argv[i + 1]);
    if (!strcmp(argv[i], "--spread") && i + 1 < argc) spread = atol(argv[i + 1]);
    if (!strcmp(argv[i], "--mute")) mute = true;
  }
  if (!strcmp(mode, "load") || !strcmp(mode, "hold")) return load_main(argc, argv);
  if (!strcmp(mode, "start") && argc > 3) return start_main(argc, argv);
  prepare_tools(tool_count);
  if (!strcmp(mode, "stdio")) return stdio_main();
  if (!strcmp(mode, "serve") && argc > 2) return serve_main(atoi(argv[2]), mute, spread);
  fprintf(stderr, "peer serve PORT | stdio | load URL | hold URL | start URL COMMAND\n");
  return 2;
}
