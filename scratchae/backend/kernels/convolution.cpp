// On the CPU, behind kernels.cu: the matrix products of a convolution. Some rows of im2col(x) are made at a time, in a buffer
// that stays in a core's cache, and multiplied. NumPy would make all of them, or call many functions for each few.

struct Images {  // (N, H, W, C) and their patches, in the order in which convolution.py passes them
    Index N, H, W, C, OH, OW, KH, KW, SH, SW, PH, PW;

    Index numbers() const {  // of a patch: a row of im2col(x)
        return KH * KW * C;
    }

    bool are_rows() const {  // whether im2col(x) is x as it lies in memory: each patch is a whole image, or a pixel
        bool image = KH == H && KW == W, pixel = KH * KW * SH * SW == 1;
        return PH == 0 && PW == 0 && (image || pixel);
    }

    Index row_of(Index patch) const {  // of all images, the row where a patch begins; it may lie in the padding
        return patch / (OW * OH) * H + patch / OW % OH * SH - PH;
    }

    // Calls run(at, place, length, row) for each row of the kernel in the patches from … to - 1: its KW C numbers begin at
    // columns[row]; `length` of them, from columns[at] on, lie in the images, from x[place] on. The others are padding.
    template <typename Run>
    void each_run(Index from, Index to, Run run) const {
        Index ox = from % OW, oy = from / OW % OH, image = from / (OW * OH), row = 0;
        for (Index patch = from; patch < to; ++patch) {
            Index v = ox * SW - PW;  // the patch's left column; those of its columns from `left` to `right` - 1 lie in the image
            Index left = std::min(std::max(-v, Index(0)), KW), right = std::max(std::min(W - v, KW), left);
            for (Index i = 0; i < KH; ++i, row += KW * C) {
                Index u = oy * SH + i - PH;
                Index length = u >= 0 && u < H ? (right - left) * C : 0;
                run(row + left * C, ((image * H + u) * W + v + left) * C, length, row);
            }
            if (++ox == OW) ox = 0, ++oy;
            if (oy == OH) oy = 0, ++image;
        }
    }
};

static void* blas_gemm = nullptr;  // cblas_sgemm or cblas_dgemm of NumPy's OpenBLAS
static bool long_sizes = false;    // whether it takes sizes of 64 bits

extern "C" void use_gemm(void* gemm, bool wide) {
    blas_gemm = gemm, long_sizes = wide;
}

template <typename Size>
static void gemm(bool At, bool Bt, Index m, Index n, Index k, const T* A, const T* B, T beta, T* C) {
    typedef void (*Gemm)(int, int, int, Size, Size, Size, T, const T*, Size, const T*, Size, T, T*, Size);
    enum { row_major = 101, plain = 111, transposed = 112 };
    int turn_A = At ? transposed : plain, turn_B = Bt ? transposed : plain;
    ((Gemm)blas_gemm)(row_major, turn_A, turn_B, m, n, k, 1, A, At ? m : k, B, Bt ? k : n, beta, C, n);
}

// C (m, n) = A B + beta C, of matrices side by side in memory; A and B may be given transposed.
static void multiply(bool At, bool Bt, Index m, Index n, Index k, const T* A, const T* B, T beta, T* C) {
    (long_sizes ? gemm<long long> : gemm<int>)(At, Bt, m, n, k, A, B, beta, C);
}

// Each of the rows becomes b.
static void fill(T* y, Index rows, const T* b, Index D) {
    for (Index row = 0; row < rows; ++row)
        for (Index d = 0; d < D; ++d) y[row * D + d] = b[d];
}

// y = im2col(x) W + b if there is a W, and dW += im2col(x)ᵀ dy if there is a dy; n patches, `rows` of them at a time in `columns`
KERNEL column_products(Index n, const Images* images, const T* x, T* columns, Index rows, Index D, const T* W, const T* b,
                       T* y, const T* dy, T* dW) {
    const Index K = images->numbers();
    const bool direct = images->are_rows();
    if (direct) rows = n;
    for (Index from = 0; from < n; from += rows) {
        Index some = std::min(rows, n - from);
        if (!direct)
            in_parts(some * K, [&](int mine, int all) {
                Index first = some * mine / all, last = some * (mine + 1) / all;
                T* mine_of = columns + first * K;
                images->each_run(from + first, from + last, [&](Index at, Index place, Index length, Index row) {
                    Index end = row + images->KW * images->C;
                    for (Index i = row; i < at; ++i) mine_of[i] = 0;
                    for (Index i = 0; i < length; ++i) mine_of[at + i] = x[place + i];
                    for (Index i = at + length; i < end; ++i) mine_of[i] = 0;
                });
            });
        const T* made = direct ? x : columns;
        if (W && b) fill(y + from * D, some, b, D);
        if (W) multiply(false, false, some, D, K, made, W, b ? 1 : 0, y + from * D);
        if (dy) multiply(true, false, K, D, some, made, dy + from * D, 1, dW);
    }
}

// x = col2im(y Wᵀ) + b
KERNEL matmul_col2im(Index n, const Images* images, const T* y, const T* W, const T* b, T* columns, Index rows, Index D, T* x) {
    const Index K = images->numbers();
    const bool direct = images->are_rows();
    fill(x, images->N * images->H * images->W, b, images->C);
    if (direct) rows = n;
    for (Index from = 0; from < n; from += rows) {
        Index some = std::min(rows, n - from);
        multiply(false, true, some, K, D, y + from * D, W, direct ? 1 : 0, direct ? x : columns);
        if (!direct)
            in_parts(some * K, [&](int mine, int all) {  // each adds to rows of the images of its own
                Index above = images->row_of(from), below = images->row_of(from + some - 1) + images->KH;
                auto begins = [&](int part) { return (above + (below - above) * part / all) * images->W * images->C; };
                Index first = mine == 0 ? 0 : begins(mine), last = begins(mine + 1);
                if (mine == all - 1) last = images->N * images->H * images->W * images->C;
                images->each_run(from, from + some, [&](Index at, Index place, Index length, Index) {
                    if (place < first || place >= last) return;
#pragma GCC ivdep
                    for (Index i = 0; i < length; ++i) x[place + i] += columns[at + i];
                });
            });
    }
}
