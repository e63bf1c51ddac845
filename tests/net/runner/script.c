// SPDX-License-Identifier: Apache-2.0
// Lines and words of a packet script: time, verbs, values and variables. See netpkt.h.
#include "tests/net/runner/netpkt.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MS        1000000ull
#define TOLERANCE (2 * MS)  // a timer may be a tick late

void fail(struct world *w, const char *fmt, ...) {
    va_list ap;
    printf("%s:%u: ", w->file, w->line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf(" (at %.3f s)\n", (double)w->now / 1e9);
    longjmp(w->fail, 1);
}

uint8_t pattern(uint32_t at) { return (uint8_t)(at * 7 + (at >> 8) + 13); }

// ---- Words ------------------------------------------------------------------------------------------------
const char *key(struct world *w, const char *name) {
    size_t n = strlen(name);
    for (unsigned i = 0; i < w->nwords; i++)
        if (strncmp(w->words[i], name, n) == 0 && w->words[i][n] == '=')
            return w->words[i] + n + 1;
    return NULL;
}

bool has(struct world *w, const char *word) {
    for (unsigned i = 0; i < w->nwords; i++)
        if (strcmp(w->words[i], word) == 0)
            return true;
    return false;
}

static unsigned variable(struct world *w, const char *name, size_t n) {
    unsigned i = 0;
    for (; i < MAX_VARS && w->vars[i].name[0]; i++)
        if (strlen(w->vars[i].name) == n && strncmp(w->vars[i].name, name, n) == 0)
            return i;
    if (i == MAX_VARS || n >= sizeof w->vars[i].name)
        fail(w, "too many variables, or too long a name");
    memcpy(w->vars[i].name, name, n);
    return i;
}

uint64_t number(struct world *w, const char *text) {
    uint64_t v;
    char *end;
    if (*text == '$') {
        size_t n = strcspn(text + 1, "+-");
        unsigned i = variable(w, text + 1, n);
        if (!w->vars[i].set)
            fail(w, "$%s has no value yet", w->vars[i].name);
        v = w->vars[i].v;
        end = (char *)(uintptr_t)text + 1 + n;
    } else {
        v = strtoull(text, &end, 0);
        if (end == text)
            fail(w, "not a number: %s", text);
    }
    if (*end == '+')
        return v + number(w, end + 1);
    if (*end == '-')
        return v - number(w, end + 1);
    if (*end)
        fail(w, "not a number: %s", text);
    return v;
}

uint64_t key_number(struct world *w, const char *name, uint64_t otherwise) {
    const char *text = key(w, name);
    return text ? number(w, text) : otherwise;
}

static bool as_wanted(char how, uint64_t got, uint64_t want) {
    switch (how) {
    case '>':
        return got >= want;
    case '<':
        return got <= want;
    default:
        return got == want;
    }
}

void compare(struct world *w, const char *what, const char *text, uint64_t got) {
    if (*text == '$' && !strpbrk(text, "+-")) {
        unsigned i = variable(w, text + 1, strlen(text + 1));
        if (!w->vars[i].set) {
            w->vars[i].v = got;
            w->vars[i].set = true;
            return;
        }
    }
    bool bound = text[0] == '>' || text[0] == '<';  // key=>100, key=<100
    uint64_t want = number(w, text + bound);
    if (!as_wanted(text[0], got, want))
        fail(w, "%s is %llu, not %s", what, (unsigned long long)got, text);
}

size_t hex_bytes(struct world *w, const char *text, uint8_t *out, size_t max) {
    size_t n = 0;
    while (*text) {
        unsigned v;
        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) || n == max)
            fail(w, "not bytes: %s", text);
        sscanf(text, "%2x", &v);
        out[n++] = (uint8_t)v;
        text += 2;
    }
    return n;
}

// ---- Lines ------------------------------------------------------------------------------------------------
static void split(struct world *w, const char *text) {
    snprintf(w->words_buf, sizeof w->words_buf, "%s", text);
    w->nwords = 0;
    char *save, *hash = strchr(w->words_buf, '#');
    if (hash)
        *hash = 0;
    for (char *p = strtok_r(w->words_buf, " \t\r\n", &save); p; p = strtok_r(NULL, " \t\r\n", &save)) {
        if (w->nwords == MAX_WORDS)
            fail(w, "too many words");
        w->words[w->nwords++] = p;
    }
}

static uint64_t seconds(struct world *w, const char *text) {
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end)
        fail(w, "not a time: %s", text);
    return (uint64_t)(v * 1e9 + 0.5);
}

// "+T out": at that time after the last line. "~T out": not later than that. Without: already.
static void expect_out(struct world *w, unsigned first, char mode, uint64_t delta) {
    uint64_t from = w->last, until = from + delta + (mode == '+' ? TOLERANCE : 0);
    while (!w->outs && w->now < until) {
        uint64_t next = netstack_deadline(w->ns);
        advance(w, next < until ? next : until);
    }
    struct out *o = take_out(w);
    if (!o)
        fail(w, "no packet came out");
    if (mode == '+' && (o->at + TOLERANCE < from + delta || o->at > until))
        fail(w, "came %.3f s after the last line, not %.3f: %s", (double)(o->at - from) / 1e9,
             (double)delta / 1e9, describe(w, o));
    w->last = mode ? o->at : w->now;
    do_out(w, first, o);
    free(o);
}

static void run_words(struct world *w);

// "server OPTIONS": a listener l, and a connection a that the peer made with these options on its SYN.
// "client OPTIONS": a connection a from port 80 that we made; the options are on the peer's SYN-ACK. Both run
// as these lines.
static void establish(struct world *w, unsigned first) {
    static const char *const server[] = {
        "sock l tcp",           "bind l *:80", "listen l 5", "in tcp S%s", "out tcp SA seq=0 ack=1",
        "in tcp A seq=1 ack=1", "accept l a"};
    static const char *const client[] = {"sock a tcp",
                                         "bind a *:80",
                                         "connect a 10.0.0.2:5000 = EINPROGRESS",
                                         "out tcp S seq=0",
                                         "in tcp SA seq=0 ack=1%s",
                                         "out tcp A seq=1 ack=1"};
    bool is_server = strcmp(w->words[first], "server") == 0;
    const char *const *lines = is_server ? server : client;
    unsigned n = is_server ? sizeof server / sizeof *server : sizeof client / sizeof *client;
    char options[500] = "", line[600];
    for (unsigned i = first + 1; i < w->nwords; i++)
        snprintf(options + strlen(options), sizeof options - strlen(options), " %s", w->words[i]);
    for (unsigned i = 0; i < n; i++) {
        const char *mark = strstr(lines[i], "%s");
        size_t keep = mark ? (size_t)(mark - lines[i]) : strlen(lines[i]);
        snprintf(line, sizeof line, "%.*s%s", (int)keep, lines[i], mark ? options : "");
        split(w, line);
        run_words(w);
    }
}

static void run_words(struct world *w) {
    unsigned first = 0;
    char mode = 0;
    uint64_t delta = 0;
    if (w->words[0][0] == '+' || w->words[0][0] == '~') {
        mode = w->words[0][0];
        delta = seconds(w, w->words[0] + 1);
        first = 1;
    }
    if (first >= w->nwords)
        fail(w, "nothing to do");
    const char *verb = w->words[first];
    if (strcmp(verb, "out") == 0) {
        expect_out(w, first + 1, mode, delta);
        return;
    }
    if (mode)
        advance(w, w->last + delta > w->now ? w->last + delta : w->now);
    w->last = w->now;
    if (strcmp(verb, "in") == 0) {
        no_more_out(w, "before this");
        do_in(w, first + 1);
    } else if (strcmp(verb, "server") == 0 || strcmp(verb, "client") == 0) {
        establish(w, first);
    } else if (strcmp(verb, "link") == 0) {
        world_link(w);
    } else if (strcmp(verb, "isn") == 0) {
        w->next_isn = (uint32_t)number(w, w->words[first + 1]);
    } else if (strcmp(verb, "drop") == 0) {
        for (struct out *o = take_out(w); o; o = take_out(w))
            free(o);
    } else if (strcmp(verb, "quiet") == 0) {
        no_more_out(w, "before this");
        advance(w, w->now + seconds(w, w->words[first + 1]));
        no_more_out(w, "in the quiet time");
        w->last = w->now;
    } else if (!do_call(w, first)) {
        fail(w, "what is %s?", verb);
    }
    if (w->verbose)
        for (const struct out *o = w->outs; o; o = o->next)
            printf("    %.3f %s\n", (double)o->at / 1e9, describe(w, o));
}

struct script {
    char **lines;
    unsigned n;
};

static unsigned block_end(struct world *w, const struct script *s, unsigned at) {
    for (unsigned depth = 1; at < s->n; at++) {
        char word[16] = "";
        sscanf(s->lines[at], "%15s", word);
        depth += strcmp(word, "repeat") == 0;
        if (strcmp(word, "end") == 0 && --depth == 0)
            return at;
    }
    fail(w, "repeat without end");
}

// "repeat x 1 100" ... "end": the lines between for each $x.
static void run_lines(struct world *w, const struct script *s, unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++) {
        w->line = i + 1;
        split(w, s->lines[i]);
        if (w->nwords == 0)
            continue;
        if (w->verbose)
            printf("%4u %s\n", i + 1, s->lines[i]);
        if (strcmp(w->words[0], "repeat") != 0) {
            run_words(w);
            continue;
        }
        unsigned end = block_end(w, s, i + 1), var = variable(w, w->words[1], strlen(w->words[1]));
        uint64_t a = number(w, w->words[2]), b = number(w, w->words[3]);
        for (uint64_t v = a; v <= b; v++) {
            w->vars[var].v = v;
            w->vars[var].set = true;
            run_lines(w, s, i + 1, end);
        }
        i = end;
    }
}

static bool load(const char *path, struct script *s) {
    FILE *f = fopen(path, "r");
    char line[2048];
    if (!f)
        return false;
    *s = (struct script){0};
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char **lines = realloc(s->lines, (s->n + 1) * sizeof *lines);
        if (!lines)
            exit(2);
        s->lines = lines;
        s->lines[s->n++] = strdup(line);
    }
    fclose(f);
    return true;
}

bool run_file(const char *path, bool verbose) {
    static struct world w;
    struct script s;
    if (!load(path, &s)) {
        perror(path);
        return false;
    }
    memset(&w, 0, sizeof w);
    w.file = path;
    w.verbose = verbose;
    bool cites = false;
    for (unsigned i = 0; i < s.n && s.lines[i][0] == '#'; i++)
        cites |= strstr(s.lines[i], "RFC") != NULL;
    volatile bool ok = false;
    world_open(&w);
    if (setjmp(w.fail) == 0) {
        if (!cites)
            fail(&w, "the script does not say which RFC it is about");
        run_lines(&w, &s, 0, s.n);
        no_more_out(&w, "at the end");
        world_close(&w);
        ok = true;
    }
    for (unsigned i = 0; i < s.n; i++)
        free(s.lines[i]);
    free(s.lines);
    return ok;
}
