// One pool of threads for the compiled kernels and for OpenBLAS. With a pool each, the threads of one would spin on the cores
// that those of the other need.
//
// A job runs `parts` times at the same time: part 0 on the thread that asks, the others on helpers. A helper that has nothing to
// do spins for SPIN, since in a training step the next job comes soon, and then sleeps.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds SPIN(300);
const int cores = std::thread::hardware_concurrency();

struct Job {
    void (*work)(void* data, int part, int parts);
    void* data;
    int parts;
    std::atomic<int> left;  // helpers that have not finished
};

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

class Helper {
    std::atomic<Job*> next{nullptr};
    std::atomic<bool> sleeps{false};
    std::mutex mutex;
    std::condition_variable wake;

    Job* wait() {
        for (auto end = Clock::now() + SPIN; Clock::now() < end;)
            for (int i = 0; i < 64; ++i) {
                if (next.load())
                    if (Job* job = next.exchange(nullptr)) return job;
                pause();
            }
        std::unique_lock<std::mutex> lock(mutex);
        Job* job = nullptr;
        sleeps = true;
        wake.wait(lock, [&] { return job = next.exchange(nullptr); });
        sleeps = false;
        return job;
    }

public:
    explicit Helper(int part) {
        std::thread([this, part] {
            for (;;) {
                Job* job = wait();
                job->work(job->data, part, job->parts);
                --job->left;  // the last touch: the job lies on the stack of the thread that asked
            }
        }).detach();
    }

    void take(Job* job) {
        next = job;
        if (sleeps) {  // else it looks at `next` once more before it sleeps
            std::lock_guard<std::mutex> lock(mutex);
            wake.notify_one();
        }
    }

    bool gives_back() {  // whether it has not begun
        return next.exchange(nullptr);
    }
};

struct Pool {
    std::mutex busy;  // held while a job runs
    std::vector<Helper*> helpers;

    // `busy` is held. together: the parts wait for each other; else a part that no helper has begun is run on this thread
    void run(void (*work)(void*, int, int), void* data, int parts, bool together) {
        while ((int)helpers.size() < parts - 1) helpers.push_back(new Helper(helpers.size() + 1));
        Job job{work, data, parts, {parts - 1}};
        for (int i = 0; i < parts - 1; ++i) helpers[i]->take(&job);
        work(data, 0, parts);
        for (int i = 0; i < parts - 1 && !together; ++i)
            if (helpers[i]->gives_back()) {
                work(data, i + 1, parts);
                --job.left;
            }
        // beside busy processes a thread that yields waits long for its next turn; with more parts than cores, one must
        while (job.left) parts > cores ? (void)sched_yield() : pause();
    }
};

Pool* pool = new Pool;  // never deleted: helpers may wait in it while the process ends

struct BlasJobs {
    void (*work)(int thread, void* job, int data);
    char* jobs;
    size_t size;
    int data;
};

}  // namespace

extern "C" {

int (*allowed_threads)() = nullptr;  // openblas_get_num_threads

// Share work among as many threads as OpenBLAS may use; where others use them already, run it on this one.
void pool_share(void (*work)(void*, int, int), void* data, int most) {
    int parts = allowed_threads ? std::min(allowed_threads(), most) : 1;
    std::unique_lock<std::mutex> busy(pool->busy, std::defer_lock);
    if (parts > 1 && busy.try_lock())
        pool->run(work, data, parts, false);
    else
        work(data, 0, 1);
}

// OpenBLAS's jobs. They wait for each other, so each needs a thread of its own: a second product waits until the first has ended.
void pool_blas(int, void (*work)(int, void*, int), int parts, size_t size, void* jobs, int data) {
    BlasJobs all{work, (char*)jobs, size, data};
    auto one = [](void* of, int part, int) {
        auto& all = *(BlasJobs*)of;
        all.work(part, all.jobs + part * all.size, all.data);
    };
    std::lock_guard<std::mutex> busy(pool->busy);
    pool->run(one, &all, parts, true);
}

// A forked child has none of the helpers: it gets a pool of its own. No job runs while the process forks.
void pool_prepare(int (*threads)()) {
    allowed_threads = threads;
    static const int once = pthread_atfork(
        [] { pool->busy.lock(); }, [] { pool->busy.unlock(); }, [] { pool = new Pool; });
    (void)once;
}
}
