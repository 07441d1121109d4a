// Starts a program and tells how long it took to answer its first `initialize`:  peer start URL COMMAND [ARGUMENT …]
#include "client.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int start_main(int argc, char **argv) {
  (void)argc;
  static Job job;
  static Client client;
  read_url(&job, argv[2]);
  if (try_open(&client, &job)) {
    fprintf(stderr, "somebody listens at %s already\n", argv[2]);
    return 1;
  }
  double begun = now_ms();
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execvp(argv[3], argv + 3);
    _exit(127);
  }
  while (!try_open(&client, &job)) {
    if (waitpid(child, NULL, WNOHANG) != 0 || now_ms() - begun > 20000) {
      fprintf(stderr, "it does not listen\n");
      kill(child, SIGKILL);
      return 1;
    }
    // Short against what is measured, long enough to leave the processor to the child.
    nanosleep(&(struct timespec){0, 200000}, NULL);
  }
  double listening = now_ms() - begun;
  initialize(&client, &job);
  double answered = now_ms() - begun;
  kill(child, SIGTERM);
  bool gone = false;
  for (double until = now_ms() + 5000; !(gone = waitpid(child, NULL, WNOHANG) != 0) && now_ms() < until;)
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  if (!gone) kill(child, SIGKILL);
  printf("{\"listeningMs\":%.2f,\"answeredMs\":%.2f}\n", listening, answered);
  return 0;
}
