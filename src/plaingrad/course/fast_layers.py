"""`fast_layers`: convolution and pooling under the names of the course's fast versions.

They are the functions of `layers`, which are as fast as plaingrad is; nothing has to be compiled.
"""

from plaingrad.course import layers

__all__ = [
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_strides",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_strides",
    "max_pool_backward_fast",
    "max_pool_backward_im2col",
    "max_pool_backward_reshape",
    "max_pool_forward_fast",
    "max_pool_forward_im2col",
    "max_pool_forward_reshape",
]

conv_forward_fast = conv_forward_im2col = conv_forward_strides = layers.conv_forward_naive
conv_backward_fast = conv_backward_im2col = conv_backward_strides = layers.conv_backward_naive
max_pool_forward_fast = max_pool_forward_im2col = max_pool_forward_reshape = layers.max_pool_forward_naive
max_pool_backward_fast = max_pool_backward_im2col = max_pool_backward_reshape = layers.max_pool_backward_naive
