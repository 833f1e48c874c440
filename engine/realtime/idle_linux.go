package realtime

/*
#cgo CFLAGS: -D_GNU_SOURCE
#cgo LDFLAGS: -pthread
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

// A thread that keeps a processor busy while nobody else wants it.
struct idler {
	pthread_t thread;
	pid_t id; // the kernel's, once begun
	int processor;
	sem_t begun;
	int failed; // once begun: why it does not run, or 0
	atomic_bool over;
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void *idle(void *arg) {
	struct idler *i = arg;
	const struct sched_param none = {0};
	cpu_set_t only;
	CPU_ZERO(&only);
	CPU_SET(i->processor, &only);
	if (sched_setaffinity(0, sizeof only, &only) != 0 || sched_setscheduler(0, SCHED_IDLE, &none) != 0)
		i->failed = errno;
	i->id = gettid();
	int runs = i->failed == 0;
	sem_post(&i->begun);
	for (unsigned turn = 1; runs && !atomic_load_explicit(&i->over, memory_order_relaxed); turn++) {
		relax();
		if (turn % (1 << 20) == 0) // whoever gives all threads of a program a priority does not mean this one
			runs = sched_getscheduler(0) == SCHED_IDLE;
	}
	return NULL;
}

// idler_begin returns when the thread has its place, or an errno and there is none.
// Signals are for Go's threads.
static int idler_begin(struct idler *i, int processor) {
	sigset_t all, before;
	i->processor = processor;
	sem_init(&i->begun, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&i->thread, NULL, idle, i);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		return failed;
	while (sem_wait(&i->begun) != 0) // a signal
		;
	if (i->failed != 0)
		pthread_join(i->thread, NULL);
	return i->failed;
}

static void idler_end(struct idler *i) { atomic_store_explicit(&i->over, 1, memory_order_relaxed); }

static void idler_join(struct idler *i) { pthread_join(i->thread, NULL); }

static int processors(void) { return CPU_SETSIZE; }

static int may_use(int processor) {
	cpu_set_t may;
	return sched_getaffinity(0, sizeof may, &may) == 0 && CPU_ISSET(processor, &may);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// policies is held by who changes the scheduling of threads, and guards idling.
var policies sync.Mutex

// idling are the threads of all idlers, by the kernel's number: they never have a
// priority.
var idling = map[int]bool{}

// idlers are threads of C's, for one of Go's that never waits would hold up the
// collector. There is one on each processor that this program may use. They own
// memory of C's.
type idlers struct{ all []*C.struct_idler }

func startIdlers() (io.Closer, error) {
	policies.Lock()
	defer policies.Unlock()
	s := &idlers{}
	for n := range C.processors() {
		if C.may_use(n) == 0 {
			continue
		}
		i := (*C.struct_idler)(C.calloc(1, C.sizeof_struct_idler))
		failed := C.int(syscall.ENOMEM)
		if i != nil {
			failed = C.idler_begin(i, n)
		}
		if failed != 0 {
			C.free(unsafe.Pointer(i))
			s.end()
			return nil, syscall.Errno(failed)
		}
		idling[int(i.id)] = true
		s.all = append(s.all, i)
	}
	if len(s.all) == 0 {
		return nil, fmt.Errorf("more processors than can be told: %w", errors.ErrUnsupported)
	}
	return s, nil
}

// Close ends them. The error is [os.ErrClosed].
func (s *idlers) Close() error {
	policies.Lock()
	defer policies.Unlock()
	if len(s.all) == 0 {
		return os.ErrClosed
	}
	s.end()
	return nil
}

// end ends all at once: each has to run once more, after whatever else wants to.
func (s *idlers) end() {
	for _, i := range s.all {
		C.idler_end(i)
	}
	for _, i := range s.all {
		C.idler_join(i)
		delete(idling, int(i.id))
		C.free(unsafe.Pointer(i))
	}
	s.all = nil
}
