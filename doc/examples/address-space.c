#include <stdio.h>
#include <rangelock/mm.h>

/* A fault, an access, an unmapping, and what the oracle thinks of it. */
int main(void)
{
	const struct mmshim_config config = { .protocol = "fine", .flags = MMSHIM_CHECK };
	struct mmshim_verdict verdict = { 0 };
	struct mmshim *mm;
	uint64_t address, word = 0;

	int error = mmshim_create(&mm, &config);
	if (error)
		return error;
	error = mmshim_mmap(mm, 0, 1 << 20, MMSHIM_READ | MMSHIM_WRITE, 0, NULL, 0, &address);
	if (!error)
		error = mmshim_store(mm, address, 42); /* faults the page in */
	if (!error)
		error = mmshim_load(mm, address, &word);
	if (!error)
		error = mmshim_munmap(mm, address, 1 << 20);
	if (!error)
		error = mmshim_load(mm, address, &word) == 0; /* it must not succeed */
	if (!error)
		error = mmshim_check(mm, &verdict);
	printf("saw %d; %d accesses judged, %d violations%s%s\n", (int)word, (int)verdict.checked,
	       (int)verdict.violations, verdict.violations ? ": " : "", verdict.report);
	return error || verdict.violations || mmshim_destroy(mm);
}
