// What the backend and the load generator share: a growing buffer, a scan of JSON without building it, HTTP heads.
#ifndef WIRE_H
#define WIRE_H
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGE_BYTES (1024 * 1024)
#define SMALL_TEXT "a small result of the kind that most tools give"

typedef struct {
  char *at;
  size_t len, cap;
} Buf;

typedef struct {
  const char *at;
  size_t len;
} Span;

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(2);
}

static inline void reserve(Buf *b, size_t more) {
  if (b->cap - b->len >= more) return;
  size_t cap = b->cap ? b->cap * 2 : 4096;
  while (cap - b->len < more) cap *= 2;
  b->at = realloc(b->at, cap);
  if (!b->at) die("realloc");
  b->cap = cap;
}

static inline void add(Buf *b, const void *bytes, size_t len) {
  reserve(b, len);
  memcpy(b->at + b->len, bytes, len);
  b->len += len;
}

static inline void addf(Buf *b, const char *format, ...) {
  reserve(b, 4096);
  va_list list;
  va_start(list, format);
  b->len += (size_t)vsnprintf(b->at + b->len, 4096, format, list);
  va_end(list);
}

/** Forgets what was read; a buffer that one big message blew up gives its memory back. */
static inline void drop(Buf *b, size_t len) {
  if (len < b->len) memmove(b->at, b->at + len, b->len - len);
  b->len -= len;
}

static inline bool is(Span s, const char *text) { return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0; }

static inline const char *skip_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
  return p;
}

/** From the opening quote to behind the closing one; NULL if it does not end. */
static inline const char *skip_string(const char *p, const char *end) {
  for (p++;; p++) {
    p = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL;
    if (!p) return NULL;
    const char *b = p;
    while (b[-1] == '\\') b--;
    if ((p - b) % 2 == 0) return p + 1;
  }
}

static inline const char *skip_value(const char *p, const char *end) {
  int depth = 0;
  while (p < end) {
    if (*p == '"') {
      p = skip_string(p, end);
      if (!p) return NULL;
      if (depth == 0) return p;
      continue;
    }
    if (*p == '{' || *p == '[') depth++;
    else if (*p == '}' || *p == ']') {
      if (depth == 0) return p;
      if (--depth == 0) return p + 1;
    } else if (depth == 0 && (*p == ',' || *p == ' ' || *p == '\n' || *p == '\r')) return p;
    p++;
  }
  return depth == 0 ? p : NULL;
}

/** Fills the values of the named members of an object (a missing one stays empty); false if it is no object. */
static inline bool members(Span object, int count, const char *const *names, Span *values) {
  const char *end = object.at + object.len, *p = skip_space(object.at, end);
  memset(values, 0, sizeof(Span) * (size_t)count);
  if (p >= end || *p != '{') return false;
  p = skip_space(p + 1, end);
  while (p < end && *p == '"') {
    const char *key = p + 1;
    if (!(p = skip_string(p, end))) return false;
    Span name = {key, (size_t)(p - 1 - key)};
    p = skip_space(p, end);
    if (p >= end || *p != ':') return false;
    p = skip_space(p + 1, end);
    const char *value = p;
    if (!(p = skip_value(p, end))) return false;
    for (int i = 0; i < count; i++)
      if (is(name, names[i])) values[i] = (Span){value, (size_t)(p - value)};
    p = skip_space(p, end);
    if (p < end && *p == ',') p = skip_space(p + 1, end);
  }
  return p < end && *p == '}';
}

static inline Span member(Span object, const char *name) {
  Span value;
  members(object, 1, &name, &value);
  return value;
}

/** What is between the quotes, as it is written; empty if it is no string. */
static inline Span text_of(Span value) {
  if (value.len < 2 || value.at[0] != '"') return (Span){NULL, 0};
  return (Span){value.at + 1, value.len - 2};
}

static inline long number_of(Span value, long otherwise) {
  if (value.len == 0 || value.len > 18) return otherwise;
  char digits[20] = {0};
  memcpy(digits, value.at, value.len);
  char *end;
  long number = strtol(digits, &end, 10);
  return end == digits ? otherwise : number;
}

/** The value of a header in a head that ends with an empty line; empty if it is missing. */
static inline Span header(Span head, const char *name) {
  size_t len = strlen(name);
  const char *end = head.at + head.len, *p = memchr(head.at, '\n', head.len);
  while (p && ++p < end) {
    const char *eol = memchr(p, '\r', (size_t)(end - p));
    if (!eol) break;
    if ((size_t)(eol - p) > len && p[len] == ':' && strncasecmp(p, name, len) == 0) {
      const char *value = p + len + 1;
      while (value < eol && *value == ' ') value++;
      return (Span){value, (size_t)(eol - value)};
    }
    p = eol + 1;
  }
  return (Span){NULL, 0};
}

static inline bool starts(Span s, const char *text) {
  return s.len >= strlen(text) && strncasecmp(s.at, text, strlen(text)) == 0;
}

/** A chunked body: `done` once its end was taken; decoded bytes go to `out`. Gives the bytes taken, or -1. */
typedef struct {
  size_t left;
  int state; // 0 size line, 1 data, 2 line end behind data, 3 trailers, 4 done
} Chunks;

static inline ssize_t unchunk(Chunks *c, const char *at, size_t len, Buf *out) {
  size_t i = 0;
  while (i < len && c->state != 4) {
    if (c->state == 1) {
      size_t take = c->left < len - i ? c->left : len - i;
      add(out, at + i, take);
      i += take;
      c->left -= take;
      if (c->left == 0) c->state = 2;
      continue;
    }
    const char *eol = memchr(at + i, '\n', len - i);
    if (!eol) break;
    if (c->state == 0) {
      char *end;
      c->left = strtoul(at + i, &end, 16);
      if (end == at + i) return -1;
      c->state = c->left ? 1 : 3;
    } else if (c->state == 2) {
      c->state = 0;
    } else if (eol - (at + i) <= 1) {
      c->state = 4;
    }
    i = (size_t)(eol - at) + 1;
  }
  return (ssize_t)i;
}

int load_main(int argc, char **argv);
int start_main(int argc, char **argv);
int serve_main(int port, bool mute, long spread);
#endif
