/* A few threads that wait for files on behalf of starts. They are made when they are needed: a
 * procd whose subsystems read nothing has none. Each takes the next request from one queue, so a
 * file that never comes holds up one worker and, until all hang, nobody else's start. */
#include "config/start_files.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/thread.h"

#define WORKERS 4

struct start_reader {
	struct mailbox *results;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct start_files *first, **last;
	unsigned waiting, nrequests;	/* workers that wait; requests in the queue */
	bool stopping;
	/* main thread */
	pthread_t workers[START_READERS_MAX];
	unsigned nworkers, max;
};

struct start_reader *start_reader_new(struct mailbox *results, unsigned workers)
{
	struct start_reader *r = x_calloc(1, sizeof(*r));

	r->results = results;
	r->max = workers > 0 ? MIN(workers, START_READERS_MAX) : WORKERS;
	r->last = &r->first;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	return r;
}

/* The next request; NULL: it is over. */
static struct start_files *next_request(struct start_reader *r)
{
	struct start_files *f = NULL;

	pthread_mutex_lock(&r->lock);
	r->waiting++;
	while (r->first == NULL && !r->stopping)
		pthread_cond_wait(&r->wake, &r->lock);
	r->waiting--;
	if (!r->stopping) {
		f = r->first;
		r->first = f->next;
		if (r->first == NULL)
			r->last = &r->first;
		r->nrequests--;
	}
	pthread_mutex_unlock(&r->lock);
	return f;
}

static void *worker_main(void *arg)
{
	struct start_reader *r = arg;
	struct start_files *f;

	while ((f = next_request(r)) != NULL) {
		bool stopping;

		start_files_read(f);
		/* whoever is left behind in a read finds nobody to tell */
		pthread_mutex_lock(&r->lock);
		stopping = r->stopping;
		if (!stopping)
			mailbox_send(r->results, &f->mail);
		pthread_mutex_unlock(&r->lock);
		if (stopping)
			start_files_free(f);
	}
	return NULL;
}

int start_reader_ask(struct start_reader *r, struct start_files *f)
{
	bool more;
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	more = r->waiting <= r->nrequests && r->nworkers < r->max;
	pthread_mutex_unlock(&r->lock);
	if (more) {
		ret = thread_start(&r->workers[r->nworkers], "procd-reader", worker_main, r);
		if (ret == 0)
			r->nworkers++;
	}
	if (r->nworkers == 0)
		return ret;
	pthread_mutex_lock(&r->lock);
	f->next = NULL;
	*r->last = f;
	r->last = &f->next;
	r->nrequests++;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

/* False: it hangs. */
static bool join(pthread_t worker, const struct timespec *until)
{
	return pthread_timedjoin_np(worker, NULL, until) == 0;
}

void start_reader_free(struct start_reader *r)
{
	struct timespec until;
	bool all = true;

	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	for (unsigned i = 0; i < r->nworkers; i++)
		all = join(r->workers[i], &until) && all;
	while (r->first != NULL) {
		struct start_files *f = r->first;

		r->first = f->next;
		start_files_free(f);
	}
	if (!all)
		return;		/* it may still look at what is here; the process ends soon */
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
