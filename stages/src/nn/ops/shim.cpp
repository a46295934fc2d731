// The ATen calls that tch does not expose, behind a C interface. Each returns 0, or 1 with the message kept for
// pretext_shim_error. Tensors that are returned belong to the caller.
#include <ATen/ATen.h>
#include <string>
#include <vector>

using Tensor = at::Tensor*;
static thread_local std::string last_error;

template <typename Body>
static int guarded(Body body) {
  try {
    at::AutoDispatchBelowAutograd below;
    body();
    return 0;
  } catch (const std::exception& error) {
    last_error = error.what();
    return 1;
  }
}

static Tensor give(const at::Tensor& tensor) { return tensor.defined() ? new at::Tensor(tensor) : nullptr; }

static std::vector<at::Tensor> list(Tensor* tensors, int count) {
  std::vector<at::Tensor> result;
  result.reserve(count);
  for (int i = 0; i < count; i++) result.push_back(*tensors[i]);
  return result;
}

extern "C" {

const char* pretext_shim_error() { return last_error.c_str(); }

int pretext_channels_last(Tensor x, Tensor* out) {
  return guarded([&] { *out = give(x->contiguous(at::MemoryFormat::ChannelsLast)); });
}

int pretext_conv2d_backward(Tensor grad, Tensor x, Tensor weight, int64_t stride, int64_t padding, int64_t groups,
                            int needs_x, int needs_weight, Tensor* grad_x, Tensor* grad_weight) {
  return guarded([&] {
    auto [gx, gw, gb] = at::convolution_backward(
        *grad, *x, *weight, c10::nullopt, {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, groups,
        {needs_x != 0, needs_weight != 0, false});
    *grad_x = give(gx);
    *grad_weight = give(gw);
  });
}

int pretext_batch_norm_backward(Tensor grad, Tensor x, Tensor weight, Tensor running_mean, Tensor running_var,
                                Tensor save_mean, Tensor save_invstd, int train, double eps, Tensor* grad_x,
                                Tensor* grad_weight, Tensor* grad_bias) {
  return guarded([&] {
    auto [gx, gw, gb] = at::native_batch_norm_backward(*grad, *x, *weight, *running_mean, *running_var, *save_mean,
                                                       *save_invstd, train != 0, eps, {true, true, true});
    *grad_x = give(gx);
    *grad_weight = give(gw);
    *grad_bias = give(gb);
  });
}

int pretext_fused_sgd(Tensor* params, Tensor* grads, Tensor* buffers, int count, double lr, double momentum,
                      double weight_decay, int nesterov, int first) {
  return guarded([&] {
    auto p = list(params, count), g = list(grads, count), b = list(buffers, count);
    at::_fused_sgd_(p, g, b, weight_decay, momentum, lr, 0.0, nesterov != 0, false, first != 0);
  });
}

int pretext_fused_adamw(Tensor* params, Tensor* grads, Tensor* first_moments, Tensor* second_moments, Tensor* steps,
                        int count, double lr, double beta1, double beta2, double weight_decay, double eps) {
  return guarded([&] {
    auto p = list(params, count), g = list(grads, count), m = list(first_moments, count),
         v = list(second_moments, count), s = list(steps, count);
    at::_fused_adamw_(p, g, m, v, {}, s, lr, beta1, beta2, weight_decay, eps, false, false);
  });
}
}
