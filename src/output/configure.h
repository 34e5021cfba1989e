/* Where procd's own log and its events go. Log thread, or before it runs. */
#ifndef OUTPUT_CONFIGURE_H
#define OUTPUT_CONFIGURE_H

struct output;

/* Let O write where the published configuration says. */
void configure_output(struct output *o);

#endif
