// The ATen calls that tch does not expose, behind a C interface. Each returns 0, or 1 with the message kept for
// pretext_shim_error. Tensors that are returned belong to the caller.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd.h>
#include <string>
#include <vector>

// Exported by libtorch, without a header.
namespace at::native {
TORCH_API void mkldnn_matmul(const Tensor& a, const Tensor& b, const Tensor& result, float beta, float alpha);
}

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

static void give_all(const std::vector<at::Tensor>& tensors, Tensor* out) {
  for (size_t i = 0; i < tensors.size(); i++) out[i] = give(tensors[i]);
}

static std::vector<at::Tensor> list(Tensor* tensors, int count) {
  std::vector<at::Tensor> result;
  result.reserve(count);
  for (int i = 0; i < count; i++) result.push_back(*tensors[i]);
  return result;
}

// Whether oneDNN multiplies these. libtorch gives float32 matrices to MKL, which does less than half as much on processors
// that are not Intel's.
static bool by_onednn(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && at::hasMKLDNN() && at::globalContext().userEnabledMkldnn() &&
         x.numel() > 0;
}

// libtorch 2.9 warns of calls that later versions have as well, where those that it names take other arguments in each.
struct Silent : c10::WarningHandler {
  c10::WarningUtils::WarningHandlerGuard guard{this};
  void process(const c10::Warning&) override {}
};

extern "C" {

const char* pretext_shim_error() { return last_error.c_str(); }

int pretext_deterministic() {
  return guarded([&] {
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
  });
}

// Whether a GPU multiplies float32 with 10 bits of precision: products, and convolutions.
int pretext_allow_tf32(int allow) {
  return guarded([&] {
    Silent silent;
    at::globalContext().setAllowTF32CuBLAS(allow != 0);
    at::globalContext().setAllowTF32CuDNN(allow != 0);
  });
}

int pretext_allows_tf32() {
  Silent silent;
  return at::globalContext().allowTF32CuBLAS() || at::globalContext().allowTF32CuDNN();
}

// Memory from which a GPU copies by itself while the processor goes on; libtorch keeps it until it has.
int pretext_pinned(int64_t bytes, Tensor* out) {
  return guarded([&] { *out = give(at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true))); });
}

int pretext_channels_last(Tensor x, Tensor* out) {
  return guarded([&] { *out = give(x->contiguous(at::MemoryFormat::ChannelsLast)); });
}

int pretext_conv2d_backward(Tensor grad, Tensor x, Tensor weight, int64_t stride, int64_t padding, int64_t dilation,
                            int transposed, int64_t output_padding, int64_t groups, const int* needed, Tensor* out) {
  return guarded([&] {
    // Where no bias gradient is wanted, its size is not looked at.
    int64_t outputs = transposed ? weight->size(1) * groups : weight->size(0);
    auto [gx, gw, gb] = at::convolution_backward(
        *grad, *x, *weight, at::IntArrayRef({outputs}), {stride, stride}, {padding, padding}, {dilation, dilation},
        transposed != 0, {output_padding, output_padding}, groups, {needed[0] != 0, needed[1] != 0, needed[2] != 0});
    give_all({gx, gw, gb}, out);
  });
}

int pretext_matmul(Tensor a, Tensor b, Tensor* out) {
  return guarded([&] {
    if (!by_onednn(*a) || b->numel() == 0) {
      *out = give(at::matmul(*a, *b));
      return;
    }
    auto y = at::empty({a->size(0), b->size(1)}, a->options());
    at::native::mkldnn_matmul(*a, *b, y, 0, 1);
    *out = give(y);
  });
}

// `bias` may be null.
int pretext_linear(Tensor x, Tensor weight, Tensor bias, Tensor* out) {
  return guarded([&] {
    auto with = bias ? std::optional<at::Tensor>(*bias) : std::nullopt;
    if (!by_onednn(*x)) {
      *out = give(at::linear(*x, *weight, with));
      return;
    }
    using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
                              c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
    static auto linear = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<Linear>();
    *out = give(linear.call(*x, *weight, with, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt));
  });
}

int pretext_layer_norm_backward(Tensor grad, Tensor x, Tensor mean, Tensor inverse_sd, Tensor weight, Tensor bias,
                                Tensor* out) {
  return guarded([&] {
    auto [gx, gw, gb] = at::native_layer_norm_backward(*grad, *x, weight->sizes(), *mean, *inverse_sd, *weight, *bias,
                                                       {true, true, true});
    give_all({gx, gw, gb}, out);
  });
}

int pretext_group_norm_backward(Tensor grad, Tensor x, Tensor mean, Tensor inverse_sd, Tensor weight, int64_t groups,
                                Tensor* out) {
  return guarded([&] {
    auto [gx, gw, gb] =
        at::native_group_norm_backward(*grad, *x, *mean, *inverse_sd, *weight, x->size(0), x->size(1),
                                       x->size(2) * x->size(3), groups, {true, true, true});
    give_all({gx, gw, gb}, out);
  });
}

// The gradient of `leaf`, from which libtorch's own graph led to `y`. It needs autograd, unlike all else here.
int pretext_recorded_backward(Tensor y, Tensor grad, Tensor leaf, Tensor* out) {
  try {
    *out = give(torch::autograd::grad({*y}, {*leaf}, {*grad})[0]);
    return 0;
  } catch (const std::exception& error) {
    last_error = error.what();
    return 1;
  }
}

int pretext_batch_norm_backward(Tensor grad, Tensor x, Tensor weight, Tensor running_mean, Tensor running_var,
                                Tensor save_mean, Tensor save_invstd, int train, double eps, Tensor* out) {
  return guarded([&] {
    auto [gx, gw, gb] = at::native_batch_norm_backward(*grad, *x, *weight, *running_mean, *running_var, *save_mean,
                                                       *save_invstd, train != 0, eps, {true, true, true});
    give_all({gx, gw, gb}, out);
  });
}

// Without momentum there are no buffers: a GPU's kernel refuses them then.
int pretext_fused_sgd(Tensor* params, Tensor* grads, Tensor* buffers, int count, double lr, double momentum,
                      double weight_decay, int nesterov, int first) {
  return guarded([&] {
    auto p = list(params, count), g = list(grads, count), b = list(buffers, momentum == 0 ? 0 : count);
    at::_fused_sgd_(p, g, b, weight_decay, momentum, lr, 0.0, nesterov != 0, false, momentum != 0 && first != 0);
  });
}

// The number of the step is filled in on the device, once for all parameters: to copy it there would wait for a GPU.
int pretext_fused_adamw(Tensor* params, Tensor* grads, Tensor* first_moments, Tensor* second_moments, int count,
                        double number, double lr, double beta1, double beta2, double weight_decay, double eps) {
  return guarded([&] {
    auto p = list(params, count), g = list(grads, count), m = list(first_moments, count),
         v = list(second_moments, count);
    std::vector<at::Tensor> steps(count, at::full({}, number, p[0].options().dtype(at::kFloat)));
    at::_fused_adamw_(p, g, m, v, {}, steps, lr, beta1, beta2, weight_decay, eps, false, false);
  });
}

// One norm a tensor, in one tensor: nothing is read back, so that a GPU does not wait.
static at::Tensor norms(const std::vector<at::Tensor>& tensors) { return at::stack(at::_foreach_norm(tensors)); }

int pretext_lars_gradients(Tensor* params, Tensor* grads, int count, double lr, double weight_decay, double trust,
                           int clip_rate, double eps, Tensor* out) {
  return guarded([&] {
    auto p = list(params, count), g = list(grads, count);
    auto p_norm = norms(p), g_norm = norms(g);
    auto rate = trust * p_norm / (g_norm + weight_decay * p_norm + eps);
    if (clip_rate) rate = at::clamp_max(rate / lr, 1.0);
    rate = at::where(at::logical_and(p_norm > 0, g_norm > 0), rate, at::ones_like(rate));
    auto rates = rate.unbind();
    auto adapted = at::_foreach_mul(g, rates);
    if (weight_decay != 0) at::_foreach_addcmul_(adapted, p, rates, weight_decay);
    give_all(adapted, out);
  });
}

int pretext_clip_norm(Tensor* tensors, int count, double limit, Tensor* out) {
  return guarded([&] {
    auto t = list(tensors, count);
    auto factor = at::clamp_max(limit / (at::linalg_vector_norm(norms(t)) + 1e-6), 1.0);
    give_all(at::_foreach_mul(t, factor), out);
  });
}

int pretext_add(Tensor* sums, Tensor* terms, int count) {
  return guarded([&] { at::_foreach_add_(list(sums, count), list(terms, count)); });
}

int pretext_scale(Tensor* tensors, int count, double factor) {
  return guarded([&] { at::_foreach_mul_(list(tensors, count), at::Scalar(factor)); });
}

int pretext_lerp(Tensor* from, Tensor* to, int count, double weight) {
  return guarded([&] { at::_foreach_lerp_(list(from, count), list(to, count), at::Scalar(weight)); });
}
}
