// On the CPU, behind kernels.cu: the kernels that are used there, each shared among the threads of pool.cpp, if there is a pool.

typedef void (*Share)(void (*work)(void*, int, int), void* data, int most);

static Share pool_share = nullptr;
static const Index LEAST = 8192;  // numbers for a thread: fewer take less time than waking it

extern "C" void use_pool(Share share) {
    pool_share = share;
}

// work(mine, all) for each part of n numbers, on a thread each
template <typename Work>
static void in_parts(Index n, Work work) {
    auto call = [](void* data, int mine, int all) { (*static_cast<Work*>(data))(mine, all); };
    pool_share ? pool_share(call, &work, n / LEAST) : work(0, 1);
}

template <typename... Arguments>
static void share(void (*kernel)(Index, Arguments...), Index n, Arguments... arguments) {
    in_parts(n, [&](int mine, int all) {
        part = mine, parts = all;
        kernel(n, arguments...);
        part = 0, parts = 1;
    });
}

KERNEL shared_sigmoid(Index n, const T* x, T* y) {
    share(sigmoid, n, x, y);
}

KERNEL shared_softplus(Index n, const T* x, T* y) {
    share(softplus, n, x, y);
}

KERNEL shared_pixel_costs(Index n, const T* logits, const T* p, const T* target, T* cost) {
    share(pixel_costs, n, logits, p, target, cost);
}

KERNEL shared_adam(Index n, T* theta, const T* g, T* m, T* v, const T* coefficients, double beta1, double beta2) {
    share(adam, n, theta, g, m, v, coefficients, beta1, beta2);
}

KERNEL shared_relu(Index n, const T* x, T* y) {
    share(relu, n, x, y);
}

KERNEL shared_relu_backward(Index n, const T* y, const T* dy, T* dx) {
    share(relu_backward, n, y, dy, dx);
}
