/* MAINPID= of sd_notify: a program that goes on in another process than the one that was started.
 * The keeper proves and follows it. Main thread. */
#ifndef CORE_MAIN_PID_H
#define CORE_MAIN_PID_H

#include <stdbool.h>
#include <stdint.h>

struct subsystem;

/* One of S's processes named PID; it may be before S's own is known. */
void main_pid_named(struct subsystem *s, int pid);
/* S's process is known now: what was named before counts. */
void main_pid_known(struct subsystem *s);
/* The process of S ended; does the keeper's answer decide whether that is its end? Then these are
 * kept until it comes. */
bool main_pid_holds_end(struct subsystem *s, int wait_status, int64_t at_mono_ns,
			bool tree_empty);
/* Nothing of S's tree lives any more. */
void main_pid_gone(struct subsystem *s);

#endif
