/* The table of the driver's results, and the lock around its state. */
#include "driver.h"

static const struct {
  CUresult result;
  const char *name, *words;
} results[] = {
#define X(number, name, words) {name, #name, words},
    CUDA_RESULTS(X)
#undef X
};

const char *error_name(CUresult result) {
  for (size_t i = 0; i < sizeof results / sizeof *results; i++)
    if (results[i].result == result)
      return results[i].name;
  return NULL;
}

const char *error_words(CUresult result) {
  for (size_t i = 0; i < sizeof results / sizeof *results; i++)
    if (results[i].result == result)
      return results[i].words;
  return NULL;
}

API CUresult cuGetErrorName(CUresult result, const char **name) {
  if (!name)
    return CUDA_ERROR_INVALID_VALUE;
  *name = error_name(result);
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuGetErrorString(CUresult result, const char **words) {
  if (!words)
    return CUDA_ERROR_INVALID_VALUE;
  *words = error_words(result);
  return *words ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int driver_lock(void) {
  pthread_mutex_lock(&mutex);
  return 1;
}

void driver_unlock(int *held) {
  (void)held;
  pthread_mutex_unlock(&mutex);
}
