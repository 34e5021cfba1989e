/* The threads are made when they are needed: a procd whose subsystems ask for nothing has none.
 * Each takes the next request from one queue, so a file that never comes holds up one worker and,
 * until all hang, nobody else. */
#include "base/workers.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/thread.h"

#define DEFAULT_THREADS 4

struct workers {
	const char *name;
	struct mailbox *results;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct work *first, **last;
	unsigned waiting, nrequests;	/* threads that wait; requests in the queue */
	bool stopping;
	/* the owner's */
	pthread_t threads[WORKERS_MAX];
	unsigned nthreads, max;
};

struct workers *workers_new(const char *name, struct mailbox *results, unsigned n)
{
	struct workers *p = x_calloc(1, sizeof(*p));

	p->name = name;
	p->results = results;
	p->max = n > 0 ? MIN(n, WORKERS_MAX) : DEFAULT_THREADS;
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	return p;
}

/* The next request; NULL: it is over. */
static struct work *next_request(struct workers *p)
{
	struct work *w = NULL;

	pthread_mutex_lock(&p->lock);
	p->waiting++;
	while (p->first == NULL && !p->stopping)
		pthread_cond_wait(&p->wake, &p->lock);
	p->waiting--;
	if (!p->stopping) {
		w = p->first;
		p->first = w->next;
		if (p->first == NULL)
			p->last = &p->first;
		p->nrequests--;
	}
	pthread_mutex_unlock(&p->lock);
	return w;
}

static void *worker_main(void *arg)
{
	struct workers *p = arg;
	struct work *w;

	while ((w = next_request(p)) != NULL) {
		bool stopping;

		w->run(w);
		/* whoever is left behind in it finds nobody to tell */
		pthread_mutex_lock(&p->lock);
		stopping = p->stopping;
		if (!stopping)
			mailbox_send(p->results, &w->mail);
		pthread_mutex_unlock(&p->lock);
		if (stopping)
			w->drop(w);
	}
	return NULL;
}

int workers_ask(struct workers *p, struct work *w)
{
	bool more;
	int ret = 0;

	pthread_mutex_lock(&p->lock);
	more = p->waiting <= p->nrequests && p->nthreads < p->max;
	pthread_mutex_unlock(&p->lock);
	if (more) {
		ret = thread_start(&p->threads[p->nthreads], p->name, worker_main, p);
		if (ret == 0)
			p->nthreads++;
	}
	if (p->nthreads == 0)
		return ret;
	pthread_mutex_lock(&p->lock);
	w->next = NULL;
	*p->last = w;
	p->last = &w->next;
	p->nrequests++;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* False: it hangs. */
static bool join(pthread_t thread, const struct timespec *until)
{
	return pthread_timedjoin_np(thread, NULL, until) == 0;
}

void workers_free(struct workers *p)
{
	struct timespec until;
	bool all = true;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	for (unsigned i = 0; i < p->nthreads; i++)
		all = join(p->threads[i], &until) && all;
	while (p->first != NULL) {
		struct work *w = p->first;

		p->first = w->next;
		w->drop(w);
	}
	if (!all)
		return;		/* it may still look at what is here; the process ends soon */
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
