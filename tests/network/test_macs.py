import keras
from keras import layers

from facial_expression.network.macs import macs
from facial_expression.train.models import build


def test_a_small_network_by_hand():
    model = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, padding="same"),  # 48 * 48 * 9 * 8 = 165,888
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),  # 24
            layers.SeparableConv2D(16, 3, depth_multiplier=2),  # 22 * 22 * 16 * (9 + 16) = 193,600
            layers.DepthwiseConv2D(3, strides=2),  # 10 * 10 * 9 * 16 = 14,400
            layers.Conv2D(4, 3, dilation_rate=2),  # 6 * 6 * 9 * 16 * 4 = 20,736
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7),  # 4 * 7 = 28
        ]
    )
    assert macs(model) == 165_888 + 193_600 + 14_400 + 20_736 + 28


def test_fast_by_hand():
    stem = 24 * 24 * 25 * 24
    first = 24 * 24 * 9 * 24 * 32 + 12 * 12 * 9 * 32 * 32  # pooled between the two
    second = 12 * 12 * 9 * 32 * 64 + 6 * 6 * 9 * 64 * 64
    third = 6 * 6 * 9 * 64 * 128 + 3 * 3 * 9 * 128 * 128
    assert macs(build("fast", 48, 7)) == stem + first + second + third + 128 * 7


def test_dense_layers_count_for_each_row_they_are_applied_to():
    model = keras.Sequential([keras.Input((5, 6)), layers.Dense(3)])
    assert macs(model) == 5 * 6 * 3


def test_nested_models_are_descended_into():
    inner = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3)])
    pictures = keras.Input((6, 6, 2))
    outer = keras.Model(pictures, layers.Dense(2)(layers.Flatten()(inner(pictures))))
    assert macs(outer) == 4 * 4 * 3 * 9 * 2 + 4 * 4 * 3 * 2
