/* SPDX-License-Identifier: MIT */
/*
 * The position within the messages of one direction (struct stream). Reads and writes the stream;
 * keep_partial() also the connection's partial[], from the window in the scratch.
 */
#pragma once

#include "branchless.h"
#include "conn.h"
#include "scratch.h"

/* Whether a part of the last message is still to come. */
static __always_inline bool under_way(struct stream *stream)
{
	return stream->left || stream->phase || stream->partial_len;
}

/* Expect the next byte to begin a message. */
static __always_inline void restart(struct stream *stream)
{
	stream->left = 0;
	stream->phase = PHASE_START;
	stream->partial_len = 0;
}

/* A header section is complete: the body follows or, if there is none, another message. */
static __always_inline void begin_body(struct stream *stream, bool bodyless)
{
	restart(stream);
	if (bodyless)
		return;
	if (stream->chunked)
		stream->phase = PHASE_CHUNKS;
	else
		stream->left = stream->length;
}

/* Keep the unfinished line data[from..have) for the next window. */
static __always_inline void keep_partial(struct conn *conn, struct stream *stream,
					 struct scratch *s, u32 from)
{
	u32 length = s->have - from;
	u8 *partial = conn->partial[s->response & 1];

	copy_words(partial, &s->data[inside(from)], PARTIAL_LEN / 8);
	stream->partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	/*
	 * A longer line is taken to be none of the fields that matter: spoil its name. Of the line of
	 * a chunk the beginning is all that matters.
	 */
	if (length > PARTIAL_LEN && stream->phase != PHASE_CHUNKS)
		partial[0] = 'x';
}
