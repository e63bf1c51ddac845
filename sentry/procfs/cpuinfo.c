// SPDX-License-Identifier: Apache-2.0
// /proc/cpuinfo, from what the processor says of itself to any program: nothing is asked of the host.
// LIMIT: the flags are those that programs look for, not all that Linux knows.
#include "sentry/procfs/cpuinfo.h"
#include "base/clock.h"
#include <cpuid.h>
#include <string.h>

enum reg { EAX, EBX, ECX, EDX };

static const struct flag {
    unsigned leaf, sub;
    enum reg reg;
    unsigned bit;
    const char *name;
} flags[] = {
    {1, 0, EDX, 0, "fpu"},
    {1, 0, EDX, 1, "vme"},
    {1, 0, EDX, 2, "de"},
    {1, 0, EDX, 3, "pse"},
    {1, 0, EDX, 4, "tsc"},
    {1, 0, EDX, 5, "msr"},
    {1, 0, EDX, 6, "pae"},
    {1, 0, EDX, 7, "mce"},
    {1, 0, EDX, 8, "cx8"},
    {1, 0, EDX, 9, "apic"},
    {1, 0, EDX, 11, "sep"},
    {1, 0, EDX, 12, "mtrr"},
    {1, 0, EDX, 13, "pge"},
    {1, 0, EDX, 14, "mca"},
    {1, 0, EDX, 15, "cmov"},
    {1, 0, EDX, 16, "pat"},
    {1, 0, EDX, 17, "pse36"},
    {1, 0, EDX, 19, "clflush"},
    {1, 0, EDX, 23, "mmx"},
    {1, 0, EDX, 24, "fxsr"},
    {1, 0, EDX, 25, "sse"},
    {1, 0, EDX, 26, "sse2"},
    {1, 0, EDX, 28, "ht"},
    {0x80000001u, 0, EDX, 11, "syscall"},
    {0x80000001u, 0, EDX, 20, "nx"},
    {0x80000001u, 0, EDX, 26, "pdpe1gb"},
    {0x80000001u, 0, EDX, 27, "rdtscp"},
    {0x80000001u, 0, EDX, 29, "lm"},
    {0x80000007u, 0, EDX, 8, "constant_tsc"},
    {1, 0, ECX, 0, "pni"},
    {1, 0, ECX, 1, "pclmulqdq"},
    {1, 0, ECX, 9, "ssse3"},
    {1, 0, ECX, 12, "fma"},
    {1, 0, ECX, 13, "cx16"},
    {1, 0, ECX, 19, "sse4_1"},
    {1, 0, ECX, 20, "sse4_2"},
    {1, 0, ECX, 22, "movbe"},
    {1, 0, ECX, 23, "popcnt"},
    {1, 0, ECX, 25, "aes"},
    {1, 0, ECX, 26, "xsave"},
    {1, 0, ECX, 28, "avx"},
    {1, 0, ECX, 29, "f16c"},
    {1, 0, ECX, 30, "rdrand"},
    {1, 0, ECX, 31, "hypervisor"},
    {0x80000001u, 0, ECX, 0, "lahf_lm"},
    {0x80000001u, 0, ECX, 5, "abm"},
    {0x80000001u, 0, ECX, 6, "sse4a"},
    {0x80000001u, 0, ECX, 8, "3dnowprefetch"},
    {7, 0, EBX, 0, "fsgsbase"},
    {7, 0, EBX, 3, "bmi1"},
    {7, 0, EBX, 5, "avx2"},
    {7, 0, EBX, 7, "smep"},
    {7, 0, EBX, 8, "bmi2"},
    {7, 0, EBX, 9, "erms"},
    {7, 0, EBX, 16, "avx512f"},
    {7, 0, EBX, 17, "avx512dq"},
    {7, 0, EBX, 18, "rdseed"},
    {7, 0, EBX, 19, "adx"},
    {7, 0, EBX, 20, "smap"},
    {7, 0, EBX, 21, "avx512ifma"},
    {7, 0, EBX, 23, "clflushopt"},
    {7, 0, EBX, 24, "clwb"},
    {7, 0, EBX, 28, "avx512cd"},
    {7, 0, EBX, 29, "sha_ni"},
    {7, 0, EBX, 30, "avx512bw"},
    {7, 0, EBX, 31, "avx512vl"},
    {0xd, 1, EAX, 0, "xsaveopt"},
    {0xd, 1, EAX, 1, "xsavec"},
    {0xd, 1, EAX, 2, "xgetbv1"},
    {7, 0, ECX, 1, "avx512vbmi"},
    {7, 0, ECX, 8, "gfni"},
    {7, 0, ECX, 9, "vaes"},
    {7, 0, ECX, 10, "vpclmulqdq"},
    {7, 0, ECX, 11, "avx512_vnni"},
    {7, 0, ECX, 22, "rdpid"},
    {7, 0, EDX, 4, "fsrm"},
    {0x80000001u, 0, EDX, 22, "mmxext"},
    {0x80000001u, 0, ECX, 7, "misalignsse"},
    {0x80000001u, 0, ECX, 22, "topoext"},
    {0x80000007u, 0, EDX, 8, "nonstop_tsc"},
    {1, 0, ECX, 21, "x2apic"},
    {7, 0, EBX, 11, "rtm"},
    {7, 0, ECX, 2, "umip"},
    {7, 0, ECX, 3, "pku"},
    {7, 0, ECX, 4, "ospke"},
    {7, 0, ECX, 6, "avx512_vbmi2"},
    {7, 0, ECX, 12, "avx512_bitalg"},
    {7, 0, ECX, 14, "avx512_vpopcntdq"},
    {7, 0, EDX, 14, "serialize"},
    {7, 0, EDX, 22, "amx_bf16"},
    {7, 0, EDX, 23, "avx512_fp16"},
    {7, 0, EDX, 24, "amx_tile"},
    {7, 0, EDX, 25, "amx_int8"},
    {7, 1, EAX, 4, "avx_vnni"},
    {7, 1, EAX, 5, "avx512_bf16"},
};

#define NFLAGS (sizeof flags / sizeof flags[0])

static bool has(const struct flag *f) {
    unsigned r[4];
    return __get_cpuid_count(f->leaf, f->sub, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) &&
           (r[f->reg] >> f->bit & 1);
}

static void vendor(char out[13]) {
    unsigned max, b = 0, c = 0, d = 0;
    __get_cpuid(0, &max, &b, &c, &d);
    memcpy(out, &b, 4);
    memcpy(out + 4, &d, 4);
    memcpy(out + 8, &c, 4);
    out[12] = '\0';
}

static void model_name(char out[49]) {
    memset(out, 0, 49);
    for (unsigned i = 0; i < 3; i++) {
        unsigned r[4];
        if (!__get_cpuid(0x80000002u + i, &r[0], &r[1], &r[2], &r[3])) {
            strcpy(out, "unknown");
            return;
        }
        memcpy(out + 16 * i, r, 16);
    }
}

// Each question leaves a virtual machine, so they are few: the number comes from a guest.
#define CACHES_MAX 16
bool cpu_cache_read(unsigned number, struct cpu_cache *out) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (number >= CACHES_MAX || !__get_cpuid_count(4, number, &a, &b, &c, &d))
        return false;
    if (!(a & 31) && !__get_cpuid_count(0x8000001du, number, &a, &b, &c, &d))
        return false;
    *out = (struct cpu_cache){.type = a & 31,
                              .level = a >> 5 & 7,
                              .line = (b & 0xfff) + 1,
                              .partitions = (b >> 12 & 0x3ff) + 1,
                              .ways = (b >> 22) + 1,
                              .sets = c + 1};
    return out->type >= 1 && out->type <= 3;
}

// What the counter has counted since the sandbox's start, rounded to MHz; programs take it for the
// processor's own.
#define LEAST_NS 2000000u  // for less, the rounding would tell
static unsigned tsc_mhz(void) {
    uint64_t ns;
    do
        ns = clock_ns(CLOCK_MONOTONIC_RAW) - the_kernel->born_ns;
    while (ns < LEAST_NS);
    uint64_t ticks = __builtin_ia32_rdtsc() - the_kernel->born_tsc;
    return (unsigned)((double)ticks * 1e3 / (double)ns + 0.5);
}

static unsigned last_cache_kb(void) {
    struct cpu_cache c, last = {0};
    for (unsigned i = 0; cpu_cache_read(i, &c); i++)
        last = c;
    return (unsigned)((uint64_t)last.line * last.partitions * last.ways * last.sets / 1024);
}

int proc_show_cpuinfo(struct proc_text *x, const struct proc_node *n) {
    char name[49], made_by[13];
    unsigned ncpus = the_kernel->ncpus, mhz = tsc_mhz(), cache = last_cache_kb();
    unsigned a = 0, b, c, d, sizes = 0, last = 0;
    __get_cpuid(0x80000008u, &sizes, &b, &c, &d);
    __get_cpuid(0, &last, &b, &c, &d);
    __get_cpuid(1, &a, &b, &c, &d);
    unsigned family = (a >> 8 & 15) + ((a >> 8 & 15) == 15 ? a >> 20 & 255 : 0);
    unsigned model = (a >> 4 & 15) | (a >> 16 & 15) << 4;
    bool there[NFLAGS];  // asked once for all: each question leaves a virtual machine
    for (unsigned i = 0; i < NFLAGS; i++)
        there[i] = has(&flags[i]);
    vendor(made_by);
    model_name(name);
    for (unsigned cpu = 0; cpu < ncpus; cpu++) {
        proc_printf(x, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", cpu, made_by,
                    family, model);
        proc_printf(x, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %u.000\ncache size\t: %u KB\n", name,
                    a & 15, mhz, cache);
        proc_printf(x, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\n"
                       "initial apicid\t: %u\n", ncpus, cpu, ncpus, cpu, cpu);
        proc_printf(x,
                    "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:", last);
        for (unsigned i = 0; i < NFLAGS; i++)
            if (there[i])
                proc_printf(x, " %s", flags[i].name);
        proc_printf(x, "\nbugs\t\t:\nbogomips\t: %u.00\nclflush size\t: 64\ncache_alignment\t: 64\n",
                    2 * mhz);
        proc_printf(x, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
                    sizes & 255, sizes >> 8 & 255);
    }
    return 0;
}
