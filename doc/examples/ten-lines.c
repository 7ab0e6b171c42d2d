#include <stdio.h>
#include <rangelock/rangelock.h>

int main(void)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	int error = rangelock_wrlock(&lock, &req, 4096, 8192);
	printf("rangelock %s: %s\n", rangelock_version(),
	       error ? "failed" : "bytes 4096 to 8191 are ours");
	return error || rangelock_unlock(&lock, &req) || rangelock_destroy(&lock);
}
