// Elementwise formulas, patches and random numbers, each in one pass: for the GPU, and for the CPU if a C++ compiler makes a
// library of them (host.py). Each kernel has a plain twin of the same name in the library, which says what it computes. Tests
// compare the two.
//
// REAL is float or double: the file is compiled once for each. One thread makes one number of the result, and no two threads
// write to the same place: so there are no atomics, and results are the same in each run. NaN in gives NaN out.

typedef REAL T;
typedef long long Index;
typedef unsigned int Word;

#define KERNEL extern "C" __global__ void
#ifndef EACH  // on a CPU, host.py defines another
#define EACH(i, n) for (Index i = blockIdx.x * (Index)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (Index)blockDim.x)
#endif

// Activations and losses

__device__ T larger(T a, T b) {  // NaN if a is NaN; fmax would hide it
    return b > a ? b : a;
}

KERNEL sigmoid(Index n, const T* x, T* y) {
    EACH(i, n) y[i] = 1 / (1 + exp(-x[i]));
}

KERNEL sigmoid_backward(Index n, const T* y, const T* dy, T* dx) {
    EACH(i, n) dx[i] = dy[i] * y[i] * (1 - y[i]);
}

KERNEL relu(Index n, const T* x, T* y) {
    EACH(i, n) y[i] = larger(x[i], T(0));
}

KERNEL relu_backward(Index n, const T* y, const T* dy, T* dx) {
    EACH(i, n) dx[i] = y[i] > 0 ? dy[i] : T(0);
}

KERNEL softplus(Index n, const T* x, T* y) {
    EACH(i, n) y[i] = larger(x[i], T(0)) + log1p(exp(-fabs(x[i])));
}

KERNEL pixel_costs(Index n, const T* logits, const T* p, const T* target, T* cost) {
    EACH(i, n) cost[i] = larger(logits[i], T(0)) - log(larger(p[i], 1 - p[i])) - target[i] * logits[i];
}

// Images: one thread for each number of the result, which finds where the number comes from. Sizes as in layers/patches.py.

KERNEL im2col(Index n, const T* x, T* columns, Index H, Index W, Index C, Index OH, Index OW, Index KH, Index KW, Index SH,
              Index SW, Index PH, Index PW) {
    EACH(at, n) {  // columns[(image, oy, ox), (i, j, c)]
        Index c = at % C, j = at / C % KW, i = at / (C * KW) % KH;
        Index row = at / (C * KW * KH), ox = row % OW, oy = row / OW % OH, image = row / (OW * OH);
        Index u = oy * SH + i - PH, v = ox * SW + j - PW;
        bool inside = u >= 0 && u < H && v >= 0 && v < W;
        columns[at] = inside ? x[((image * H + u) * W + v) * C + c] : T(0);
    }
}

KERNEL col2im(Index n, const T* columns, T* x, Index H, Index W, Index C, Index OH, Index OW, Index KH, Index KW, Index SH,
              Index SW, Index PH, Index PW) {
    EACH(at, n) {  // x[image, u, v, c]
        Index c = at % C, v = at / C % W, u = at / (C * W) % H, image = at / (C * W * H);
        T sum = 0;
        for (Index i = (u + PH) % SH; i < KH && i <= u + PH; i += SH) {  // the offsets of the kernel that lead to u ...
            Index oy = (u + PH - i) / SH;
            if (oy >= OH) continue;
            for (Index j = (v + PW) % SW; j < KW && j <= v + PW; j += SW) {  // ... and to v
                Index ox = (v + PW - j) / SW;
                if (ox < OW) sum += columns[((((image * OH + oy) * OW + ox) * KH + i) * KW + j) * C + c];
            }
        }
        x[at] = sum;
    }
}

// Sparsity

KERNEL among_largest(Index n, const T* x, unsigned char* mask, Index width, Index k) {
    EACH(at, n) {
        const T* row = x + at / width * width;
        Index larger = 0;
        for (Index j = 0; j < width; ++j) larger += row[j] > x[at];
        mask[at] = larger < k;
    }
}

// Training

KERNEL take_batch(Index n, const T* x, const Index* order, const Word* position, T* batch, Index width,
                  Index batch_size) {
    EACH(at, n) batch[at] = x[order[*position * batch_size + at / width] * width + at % width];
}

KERNEL adam(Index n, T* theta, const T* g, T* m, T* v, const T* coefficients, double beta1, double beta2) {
    const T keep = coefficients[0], step = coefficients[1], eps = coefficients[2], b1 = T(beta1), b2 = T(beta2);
    const T rest1 = T(1 - beta1), rest2 = T(1 - beta2);  // rounded last: 1 - b2 in float32 would be off by 5e-5 of itself
    EACH(i, n) {
        m[i] = b1 * m[i] + rest1 * g[i];
        v[i] = b2 * v[i] + rest2 * g[i] * g[i];
        theta[i] = keep * theta[i] - step * m[i] / (sqrt(v[i]) + eps);
    }
}

// Random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), a cipher of a counter.
// state holds the key (2 words) and the number of the training step. The rest of the counter is the place in the array and the
// number of the draw within the step. So a recorded step draws new numbers in each replay and needs no other state.

__device__ void philox(Word counter[4], Word key0, Word key1) {
    for (int round = 0; round < 10; ++round) {
        unsigned long long a = 0xD2511F53ULL * counter[0], b = 0xCD9E8D57ULL * counter[2];
        Word next[4] = {(Word)(b >> 32) ^ counter[1] ^ key0, (Word)b, (Word)(a >> 32) ^ counter[3] ^ key1, (Word)a};
        for (int i = 0; i < 4; ++i) counter[i] = next[i];
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

__device__ void draw(Word words[4], const Word* state, Index place, Index number) {
    words[0] = (Word)place;
    words[1] = (Word)(place >> 32);
    words[2] = (Word)number;
    words[3] = state[2];
    philox(words, state[0], state[1]);
}

__device__ T unit(Word high, Word low) {  // in [0, 1), with all bits that T can hold
    return sizeof(T) == 4 ? T(high >> 8) / 16777216 : T(((unsigned long long)high << 32 | low) >> 11) / 9007199254740992;
}

KERNEL uniform(Index n, const Word* state, Index number, T* y) {
    EACH(i, n) {
        Word words[4];
        draw(words, state, i, number);
        y[i] = unit(words[0], words[1]);
    }
}

KERNEL normal(Index n, const Word* state, Index number, T* y) {
    EACH(i, n) {  // Box and Muller 1958; 1 - u is never 0
        Word words[4];
        draw(words, state, i, number);
        T u = 1 - unit(words[0], words[1]), angle = T(6.283185307179586) * unit(words[2], words[3]);
        y[i] = sqrt(-2 * log(u)) * cos(angle);
    }
}

KERNEL advance(Index n, Word* state) {
    EACH(i, n) state[2] += 1;
}
