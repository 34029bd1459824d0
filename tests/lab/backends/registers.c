/* SPDX-FileCopyrightText: 2026 The multihome.extrude authors
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lets user-mode-linux 6.1 run on processors with more registers than it knows of (AMX). It keeps the first 2,696 bytes
 * of a program's XSAVE area and sets as many, but ptrace(2) sets all of an area or nothing (EFAULT). So that is filled up
 * with zeros, as for registers that a program has never used. Preloaded; needs no headers, so that tcc alone builds it.
 */
typedef unsigned long size_t;
struct iovec {
	void *base;
	size_t length;
};
enum { GETREGSET = 0x4204, SETREGSET = 0x4205, XSTATE = 0x202 };

extern void *dlsym(void *, const char *);
extern void *memcpy(void *, const void *, size_t);
extern void *memset(void *, int, size_t);

static long (*next)(long, long, long, void *);
static char area[1 << 16];
static size_t size;

/* Kernel threads of user-mode-linux have small stacks, and one of them runs at a time: hence the static area. */
static long set(long process, struct iovec *known)
{
	struct iovec all = { area, sizeof area };

	if (!size) {
		if (next(GETREGSET, process, XSTATE, &all))
			return -1;
		size = all.length;
		memset(area, 0, sizeof area);
	}
	if (known->length > size)
		return next(SETREGSET, process, XSTATE, known);
	memcpy(area, known->base, known->length);
	all.length = size;
	return next(SETREGSET, process, XSTATE, &all);
}

long ptrace(long request, long process, long address, void *data)
{
	if (!next)
		next = (long (*)(long, long, long, void *))dlsym((void *)-1, "ptrace");
	if (request == SETREGSET && address == XSTATE)
		return set(process, data);
	return next(request, process, address, data);
}
