/* SPDX-License-Identifier: MIT */
/*
 * What is kept of a call, from program to program: one struct scratch a CPU. Programs of ours
 * do not interrupt each other where tracepoints run without preemption; from Linux 7 on they may
 * (httptop --doctor says so). Nothing of it outlives the call.
 *
 * data[] holds a window of the call's bytes, from CARRY on, behind what an earlier window or call
 * left unfinished. Whatever a loop keeps is in here, too: the verifier does not follow what memory
 * holds, so a turn looks the same to it each time.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "maps.h"

/* The layout of data[]. */
#define CARRY 8        /* where the bytes carried over from the last window begin */
#define CARRY_LEN 255  /* at most that many */
#define WINDOW 768     /* new bytes looked at in one go */
#define CHUNK_LINE 64  /* likewise where the line of a chunk is due */
#define DATA_LEN 2048  /* > CARRY + CARRY_LEN + WINDOW + the longest look-ahead */

/* What classifies a segment of a path, see path_template.h. */
struct segment {
	u64 sum;
	u64 stem_sum;
	u64 switches;
	u64 stem_switches;
	u64 at;
	u64 length;
	u64 stem; /* length before the last dot */
	u64 has_stem;
	u64 hash;
};

struct scratch {
	/* ---- the call (dispatch.h, take_up()), and its bytes (cursor.h) ---- */
	u64 sk;
	u64 now; /* when the call was seen */
	u64 ready_ns; /* when the first byte of a call's became ready; 0: not known */
	u64 socket;
	u64 iov; /* user address of the next iovec; 0: the call had a plain buffer */
	u64 message; /* likewise of the call's next message, where it had several */
	u64 buf; /* user address of the next byte */
	u32 messages; /* how many of them there are */
	u32 message_left; /* bytes of the one at hand that are in further iovecs, or at buf */
	u32 call_len;
	u32 left; /* bytes of the call not yet looked at */
	u32 piece; /* of these, the ones at buf (the rest is in further iovecs) */
	u32 tgid;
	u32 fd;
	u32 steps; /* programs that this call has passed through */
	u32 taken_up; /* these are bytes that had waited in user space */
	u8 inbound;

	/* ---- what is found out of a connection that is not known yet (classify.h) ---- */
	u8 fresh; /* it is not known yet */
	u8 side; /* of any connection, once it is known */
	u8 unix_socket;
	u64 inode;
	u64 truths; /* conditions of the filter on it that hold */

	/* ---- what is found out of the responses in the call (responses.h) ---- */
	u32 began; /* a response began in this call */
	u32 shape; /* what the call is, if it is no more than what has been looked at */
	u32 status; /* of the response in hand */

	/* ---- the parser (http_head.h): offsets into data; 0: not found ---- */
	u32 have; /* data[CARRY..have) is set */
	u32 carried; /* data[CARRY..carried) came in an earlier window */
	u32 cut; /* the carried line lacks its middle */
	u32 newline; /* last newline before the header section's end */
	u32 line_end; /* behind the first newline */
	u32 head_end; /* behind the empty line */
	u32 length_at; /* the value of Content-Length */
	u32 coding_at; /* Transfer-Encoding */
	u32 host_at; /* the value of Host */
	u32 version_at; /* the space before it */
	u8 method;
	u8 minor;

	/* ---- locals of any loop, nobody's behind it ---- */
	u8 bracket;
	u32 cursor;
	u64 number;
	u64 states;

	/* ---- the target (path_template.h) ---- */
	u32 limit; /* where template_of() stops looking */
	u32 target;
	u32 end;
	u32 stop; /* the target came to its end before we stopped looking */
	u64 sum; /* counts of the current segment, see path_template.h */
	u64 hash; /* of its bytes */
	u64 alive; /* rules that match as far as we have come */
	u64 verbatim; /* the path stays as it is */
	u64 stem_sum; /* the same before its last dot */
	u64 switches;
	u64 stem_switches;
	u64 last_kind;
	u64 segment_at; /* where in data[] the current segment begins */
	u64 stem_at; /* where its last dot is; 0: it has none */
	u64 segment_count;
	u64 out; /* bytes of template[] that are set */
	u64 copy_from;
	u64 copy_to;
	u64 copy_end;
	struct segment segments[SEGMENTS + 1]; /* the last takes what is too much */

	/* ---- what comes of a request line (request_line.h) ---- */
	struct endpoint_key key;
	struct line_key line;

	/* ---- a connection whose requests are being abandoned (close.h), and what for ---- */
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
 * An offset into data that the verifier believes: the compiler may not reason the mask away. Words
 * of a few bytes may be read at it.
 */
static __always_inline u64 inside(u64 at)
{
	OPAQUE(at);
	return at & (DATA_LEN - 1);
}
#define BYTE(s, at) ((s)->data[inside(at)])
#define WORD_AT(s, at) WORD(&(s)->data[inside(at)])
