/* SPDX-License-Identifier: MIT */
/*
 * Every counter has one copy per CPU (a shard). The programs that write it do not interrupt each
 * other there, so a plain addition is exact. It is atomic where CPUs share a shard or a filter
 * holds responses back (SHARED_SHARDS), and where another of our programs may interrupt
 * (ADD_ANYWHERE).
 */
#pragma once

#include "abi.h"

#ifdef SHARED_SHARDS
#define ADD(counter, n) __sync_fetch_and_add(&(counter), n)
#else
#define ADD(counter, n) ((counter) += (n))
#endif

/* Also where another of our programs may interrupt. */
#define ADD_ANYWHERE(counter, n) __sync_fetch_and_add(&(counter), n)

/* Return this CPU's shard. */
static __always_inline u32 shard(void)
{
	return bpf_get_smp_processor_id() & (SHARDS - 1);
}
