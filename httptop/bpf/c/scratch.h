/* SPDX-License-Identifier: MIT */
/*
 * The state of a call while programs hand it on to each other: one struct scratch per CPU. It is
 * theirs, since they run with preemption off, by themselves or by the kernel (kernel_structs.h). None
 * of it outlives the call, but for what begins with heads_.
 *
 * data[] holds a window of the call's bytes, starting at CARRY, after whatever an earlier window or
 * call left unfinished. Loop variables live here as well: the verifier does not track the contents
 * of map memory, so every iteration looks the same to it.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "maps.h"

/* The layout of data[]. */
#define CARRY 8        /* where bytes carried over from the last window begin */
#define CARRY_LEN 255  /* most bytes carried over */
#define WINDOW 768     /* new bytes parsed at a time */
#define CHUNK_LINE 64  /* likewise where the line of a chunk is expected */
#define DATA_LEN 2048  /* > CARRY + CARRY_LEN + WINDOW + the longest look-ahead */

/* A PROXY header of version 1, as far as it has been read (proxy_text.h). */
struct proxied {
	u8 address[16]; /* the client's */
	u32 length; /* bytes of it that are known */
	u32 gap; /* where "::" stands in it */
	u32 digits; /* of the part that is being read */
	u32 decimal; /* its value */
	u32 hexadecimal;
	u32 port; /* the client's */
	u32 field; /* enum proxy_field */
	u16 family;
	u8 gap_known;
	u8 dotted; /* octets in decimal have come */
	u8 last; /* the byte before */
	u8 bad; /* it makes no sense */
	u16 unused;
};

struct scratch {
	/* ---- the call (dispatch.h), and its bytes (cursor.h) ---- */
	u64 sk;
	u64 now; /* when the call was seen */
	u64 heads_due_ns; /* before that, no header section is kept (heads.h) */
	u64 ready_ns; /* when the call's first byte became readable; 0: unknown */
	u64 socket;
	u64 iov; /* user address of the next iovec; 0: the call had a plain buffer */
	u64 message; /* user address of the call's next message, where it had several */
	u64 buf; /* user address of the next byte */
	u32 messages; /* messages still to come */
	u32 message_left; /* bytes of the current message that are not parsed yet */
	u32 call_len;
	u32 left; /* bytes of the call that are not parsed yet */
	u32 piece; /* how many of these are at buf; the rest is in further iovecs */
	u32 tgid;
	u32 fd;
	u32 missed; /* bytes that passed unseen before the call (unseen.h) */
	u32 next; /* the step to be taken next (steps.h) */
	u32 steps; /* steps taken so far, where each is a program */
	u8 inbound;
	u8 response; /* the bytes are of responses, not of requests */
	u8 scanned; /* data[] has been scanned already (classify.h) */
	u8 filled; /* bytes of the call that are in data[CARRY..) already */
	u32 tries; /* of reading what could not be read (cursor.h) */

	/* ---- a connection that is not tracked yet (classify.h) ---- */
	u8 side; /* set for tracked connections, too */
	u8 unix_socket;
	u8 selected; /* by the run's filter, as far as is known */
	u64 inode;
	u64 truths; /* filter conditions that the connection meets, as bits */

	/* ---- responses in the call (responses.h) ---- */
	u32 began; /* final responses that began in this call */
	u32 alike; /* the call may be compared with others: kind.length_word is of its response */
	u32 status; /* of the response being parsed */

	/* ---- the parser (http_head.h): offsets into data; 0: not found ---- */
	u32 have; /* data[CARRY..have) is set */
	u32 carried; /* data[CARRY..carried) came in an earlier window */
	u32 cut; /* the carried line lacks its middle part */
	u32 newline; /* last newline before the header section's end */
	u32 line_end; /* just after the first line */
	u32 head_end; /* just after the empty line */
	u32 length_at; /* the value of Content-Length */
	u32 coding_at; /* the value of Transfer-Encoding */
	u32 host_at; /* the value of Host */
	u32 connection_at; /* the value of Connection */
	u32 version_at; /* the first blank before the HTTP version */
	u32 value_end; /* the newline behind a field's value */
	u8 digits; /* a field's value has something in it */
	u8 bad; /* it makes no sense */
	u8 folded; /* it goes on with that of the last window */
	u8 method;
	u8 minor;

	/* ---- loop temporaries; not preserved after the loop ---- */
	u8 bracket;
	u32 cursor;
	u64 number;
	u64 states;

	/* ---- the target (path_template.h) ---- */
	u32 limit; /* where template_of() stops looking */
	u32 target;
	u32 end;
	u32 stop; /* the end of the target was found */
	u64 hash; /* of the current segment's bytes */
	u64 alive; /* bits of the rules that match so far */
	u64 segment_count;
	u64 out; /* bytes of template[] that are set */
	u64 most_out; /* likewise where the last segment that is kept ended */
	u64 most_end; /* its end in data[] */
	u64 hashes[SEGMENTS + 1]; /* of the segments; the last takes all beyond SEGMENTS */

	/* ---- ids (ids.h); places are offsets into template[] ---- */
	u64 mode;
	u64 seen; /* what the segment has had */
	u64 segment_at; /* where the current segment begins */
	u64 span_at; /* and the current span, */
	u64 first_at; /* and its first word, 0: none, */
	u64 word_at; /* and the current word, */
	u64 group_at; /* and the numbers and ids that are connected */
	u64 grouped; /* their digits */
	u64 value_at; /* where a value begins that is hidden */
	u64 id_at; /* where an id is put */
	u64 id_end; /* where the last id ends */
	u64 dot_at; /* in data[]: the span's last dot */
	u64 joint; /* classes of the joint at data[end..) */
	u64 joint_add; /* what it adds to the counts of its span */
	u64 joint_sign; /* the joint itself, or what it stands for */
	u64 joint_width; /* its bytes */
	u64 joint_hash; /* the segment's, with it */
	u64 joint_next; /* the two bytes behind it */
	u64 sum; /* counts of the current word, and its score */
	s64 score;
	u64 last; /* selects the weights behind the last character */
	u64 before; /* classes of the joint before it */
	u64 span_sum; /* of the current span, up to its last joint */
	s64 span_score;
	u64 stem_sum; /* and up to its last dot */
	s64 stem_score;
	u64 extension; /* its last word may be an extension */
	u64 found; /* there are ids among its words */

	/* ---- keys made from a request line (request_line.h) ---- */
	struct endpoint_key key;

	struct proxied proxied;

	u64 heads_kept; /* by this CPU */

	/* ---- the key of a process's share of the tables (shares.h) ---- */
	struct tenant_key tenant;

	/* ---- a connection whose requests are being abandoned (close.h), and what follows ---- */
	u32 then;
	u32 unused;
	struct conn gone;

	u8 data[DATA_LEN + 64];
	u8 template[DATA_LEN + 64];
};

BPF_PERCPU_ARRAY(scratches, struct scratch, 1);

static __always_inline struct scratch *scratch_here(void)
{
	u32 zero = 0;

	return scratches.lookup(&zero);
}

/*
 * Return an address as a number that may be calculated with; the verifier keeps taking what it has seen
 * loaded from a pointer for an address.
 */
static __always_inline u64 as_number(u64 address)
{
	struct scratch *s = scratch_here();

	if (!s)
		return 0;
	s->number = address;
	asm volatile("" ::: "memory");
	return s->number;
}

/*
 * Bound an offset into data for the verifier; the compiler must not optimise the mask away. A few
 * bytes may be read from there on.
 */
static __always_inline u64 inside(u64 at)
{
	OPAQUE(at);
	return at & (DATA_LEN - 1);
}
#define BYTE(s, at) ((s)->data[inside(at)])
#define WORD_AT(s, at) WORD(&(s)->data[inside(at)])
