/* Modules: PTX compiled, with its log, and functions found by name. */
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "ptx.h"

#define CAPABILITY 70

/* Where the caller wants logs: a buffer and its size; the size comes back as what was written. */
struct log {
  char *buffer;
  void **size;
};

static void find_logs(unsigned count, const int *options, void **values, struct log *info, struct log *error) {
  for (unsigned i = 0; i < count; i++)
    switch (options[i]) {
    case CU_JIT_WALL_TIME: {
      float none = 0;
      memcpy(&values[i], &none, sizeof none);
      break;
    }
    case CU_JIT_INFO_LOG_BUFFER: info->buffer = values[i]; break;
    case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES: info->size = &values[i]; break;
    case CU_JIT_ERROR_LOG_BUFFER: error->buffer = values[i]; break;
    case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES: error->size = &values[i]; break;
    }
}

static void write_log(struct log *log, const char *text) {
  if (!log->buffer || !log->size || !*log->size)
    return;
  size_t room = (size_t)*log->size, length = strlen(text);
  if (length >= room)
    length = room - 1;
  memcpy(log->buffer, text, length);
  log->buffer[length] = 0;
  *log->size = (void *)length;
}

static CUresult compile(const char *image, struct module **module, char *words, size_t bytes) {
  if (fault_is(FAULT_JIT_REFUSES)) {
    snprintf(words, bytes, "ptxas fatal   : Internal error: the compiler refuses this PTX (simulated fault)\n");
    return CUDA_ERROR_INVALID_PTX;
  }
  if (!strncmp(image, "\177ELF", 4)) /* a cubin: made for some real GPU */
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  return ptx_parse(image, CAPABILITY, module, words, bytes);
}

API CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options, void **values) {
  LOCKED;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  if (!module || !image || (count && (!options || !values)))
    return CUDA_ERROR_INVALID_VALUE;
  struct log info = {0}, error = {0};
  find_logs(count, options, values, &info, &error);
  char words[1024] = "";
  result = compile(image, module, words, sizeof words);
  write_log(&error, words);
  write_log(&info, "");
  if (result)
    return result;
  (*module)->next = context->modules;
  context->modules = *module;
  return CUDA_SUCCESS;
}

API CUresult cuModuleLoadData(CUmodule *module, const void *image) { return cuModuleLoadDataEx(module, image, 0, NULL, NULL); }

/* The link to the module in the context's list, which ends with NULL. */
static struct module **find_module(struct context *context, const struct module *module) {
  struct module **link = &context->modules;
  while (*link && *link != module)
    link = &(*link)->next;
  return link;
}

API CUresult cuModuleUnload(CUmodule module) {
  LOCKED;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  struct module **link = find_module(context, module);
  if (!*link)
    return CUDA_ERROR_INVALID_HANDLE;
  *link = module->next;
  ptx_free(module);
  return CUDA_SUCCESS;
}

API CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  LOCKED;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  if (!function || !name)
    return CUDA_ERROR_INVALID_VALUE;
  if (!*find_module(context, module))
    return CUDA_ERROR_INVALID_HANDLE;
  for (struct function *f = module->functions; f; f = f->next)
    if (!strcmp(f->name, name)) {
      *function = f;
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_NOT_FOUND;
}
