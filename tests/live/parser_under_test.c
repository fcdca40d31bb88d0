/*
 * The header section parser and the path template rule as the probes run them, on bytes that a test
 * passes in through BPF_PROG_TEST_RUN. A packet is a header of 16 bytes and the bytes to parse; the
 * header's first two bytes are their number, the third is the method for judge_path().
 */
#include "abi.h"
#include "maps.h"
#include "branchless.h"
#include "path_template.h"
#include "http_head.h"

#define OURS 16

struct verdict {
	u64 body; /* content_length() */
	u32 have; /* bytes parsed */
	u32 line_end; /* offsets count from the first byte; 0: not found */
	u32 head_end;
	u32 has_length;
	u32 has_coding;
	u32 target;
	u32 path_end;
	u32 status;
	u8 method;
	u8 minor;
	u8 truncated;
	u8 stop;
	u8 valid; /* a request line */
	u8 unused[3];
	char path[TEMPLATE_LEN];
};

BPF_ARRAY(verdicts, struct verdict, 1);

static __always_inline struct scratch *bytes_of(void *skb)
{
	u32 zero = 0, n;
	struct scratch *s = scratches.lookup(&zero);
	u8 ours[OURS] = {};

	if (!s || bpf_skb_load_bytes(skb, 0, ours, OURS))
		return 0;
	n = ours[0] | (u32)ours[1] << 8;
	s->method = ours[2];
	OPAQUE(n);
	n &= 2047;
	if (!n || n > WINDOW)
		return 0;
	if (bpf_skb_load_bytes(skb, OURS, &s->data[CARRY], n))
		return 0;
	s->have = CARRY + n;
	WORD(&s->data[0]) = 0;
	return s;
}

static __always_inline u32 from_first(u32 at)
{
	return at ? at - CARRY : 0;
}

static __always_inline void tell_path(struct scratch *s, struct verdict *v)
{
	v->path_end = from_first(s->end);
	v->truncated = s->key.marks;
	v->stop = s->stop;
	copy_words((u8 *)v->path, (u8 *)s->key.path, TEMPLATE_LEN / 8);
}

/* Parse a header section that begins with a request line or a status line. */
int judge_head(void *skb)
{
	u32 zero = 0, end;
	struct verdict *v = verdicts.lookup(&zero);
	struct scratch *s = bytes_of(skb);

	if (!v || !s)
		return 1;
	s->newline = CARRY;
	s->line_end = s->head_end = s->length_at = s->coding_at = 0;
	s->minor = 0;
	s->cut = 0;
	v->status = status_of(WORD(&s->data[CARRY]), WORD(&s->data[CARRY + 8]), s->have - CARRY);
	scan_head(s);
	v->have = s->have - CARRY;
	v->line_end = from_first(s->line_end);
	v->head_end = from_first(s->head_end);
	v->has_length = s->length_at && s->length_at <= s->newline;
	v->has_coding = s->coding_at && s->coding_at <= s->newline && read_codings(s, s->coding_at);
	v->body = v->has_length ? content_length(s) : 0;
	v->valid = 0;
	if (!s->line_end)
		return 0;
	v->target = from_first(request_line(s));
	if (!v->target)
		return 0;
	v->method = s->method;
	v->minor = s->minor;
	s->limit = s->line_end;
	end = template_of(s, v->target + CARRY);
	tell_path(s, v);
	/*
	 * As in make_endpoint_key() (request_line.h): only the version may follow the first space.
	 */
	v->valid = !(s->stop && BYTE(s, end) == ' ' && end != s->version_at);
	return 0;
}

/* Make the path template of a target; a space follows it. */
int judge_path(void *skb)
{
	u32 zero = 0;
	struct verdict *v = verdicts.lookup(&zero);
	struct scratch *s = bytes_of(skb);

	if (!v || !s)
		return 1;
	s->limit = s->have;
	template_of(s, CARRY);
	tell_path(s, v);
	return 0;
}
