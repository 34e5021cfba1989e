/* bench_log [MIB]: a child's output through the log thread into a file, next to the bare loop of
 * read and write. 100-byte lines, once in writes of 64 KiB and once line by line. Prints MB/s and
 * the reader's CPU per GB. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/store.h"
#include "output/output.h"

#define LINE_BYTES 100
#define BLOCK (64u * 1024 / LINE_BYTES * LINE_BYTES)

static char dir[] = "/tmp/procd-bench-log-XXXXXX";

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return seconds(u.ru_utime) + seconds(u.ru_stime);
}

static pid_t start_writer(int fd, size_t bytes, size_t block)
{
	static char data[BLOCK];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	memset(data, 'x', sizeof data);
	for (size_t i = LINE_BYTES - 1; i < sizeof data; i += LINE_BYTES)
		data[i] = '\n';
	for (size_t done = 0; done < bytes; done += block)
		if (fd_write_all(fd, data, block) < 0)
			_exit(1);
	_exit(0);
}

static void report(const char *what, size_t bytes, int64_t began, double cpu)
{
	double took = (double)(clock_mono_ns() - began) / 1e9, mb = (double)bytes / 1e6;

	printf("%-32s %7.0f MB/s %6.2f s CPU/GB\n", what, mb / took,
	       (own_cpu() - cpu) / (mb / 1e3));
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

static void bare(const char *what, size_t bytes, size_t block)
{
	auto_free(freep) char *path = x_asprintf("%s/bare.log", dir);
	static char buf[64 * 1024];
	int fds[2], file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		exit(1);
	double cpu = own_cpu();
	int64_t began = clock_mono_ns();
	pid_t pid = start_writer(fds[1], bytes, block);

	close(fds[1]);
	while ((n = read(fds[0], buf, sizeof buf)) > 0)
		if (fd_write_all(file, buf, (size_t)n) < 0)
			exit(1);
	report(what, bytes, began, cpu);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(file);
	unlink(path);
}

static void through_thread(struct output *o, const char *what, size_t bytes, size_t block)
{
	auto_free(freep) char *path = x_asprintf("%s/web.log", dir);
	auto_free(freep) char *fifo = x_asprintf("%s/fifo/0.out", dir);
	struct subsystem_options *opts = x_calloc(1, sizeof *opts);

	atomic_init(&opts->refs, 1);
	opts->name = x_strdup("web");
	opts->stdio[1].kind = STDIO_LOG;
	opts->log_file = x_strdup(path);
	opts->log_max_file_size = UINT64_MAX;
	mkfifo(fifo, 0600);
	int fd = open(fifo, O_RDWR | O_CLOEXEC);

	output_attach(o, 0, opts);
	subsystem_options_unref(opts);
	double cpu = own_cpu();
	int64_t began = clock_mono_ns();
	pid_t pid = start_writer(fd, bytes, block);

	waitpid(pid, NULL, 0);
	while (size_of(path) < (off_t)bytes)
		usleep(1000);
	report(what, bytes, began, cpu);
	output_detach(o, 0);
	close(fd);
	unlink(path);
	output_reopen(o);
}

static void ignore_mail(void *ctx, struct mail *mail)
{
	(void)ctx;
	free(container_of(mail, struct output_drained, mail));
}

int main(int argc, char **argv)
{
	size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20;
	struct config *config = x_calloc(1, sizeof *config);
	struct mailbox drained;
	struct error e = ERROR_INIT;
	bool lost;

	setlinebuf(stdout);
	if (mkdtemp(dir) == NULL)
		return 1;
	bytes -= bytes % BLOCK;
	bare("read+write, 64 KiB writes", bytes, BLOCK);
	bare("read+write, one line per write", bytes, LINE_BYTES);
	rcu_register_thread();
	config->logging.max_file_size = 1u << 30;
	config_publish(config, 1);
	mailbox_init(&drained, loop_new("auto"), ignore_mail, NULL);
	struct chan *chan = chan_open(-1, 1u << 16, 64, CHAN_LOCK_FREE, &lost);
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct output *o = output_start(dirfd, chan, &drained, &e);

	if (o == NULL) {
		fprintf(stderr, "%s\n", e.message);
		return 1;
	}
	through_thread(o, "log thread, 64 KiB writes", bytes, BLOCK);
	through_thread(o, "log thread, one line per write", bytes, LINE_BYTES);
	output_stop(o);
	auto_free(freep) char *command = x_asprintf("rm -r %s", dir);

	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return 1;
}
