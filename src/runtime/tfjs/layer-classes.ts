import { namesIn } from './names-in';

/** Models that are layers of others, or the whole. */
export const CONTAINERS: ReadonlySet<string> = new Set(namesIn('Sequential Functional Model'));

/** Layers that have a layer, or cells, within. */
export const WRAPPERS: ReadonlySet<string> = new Set(namesIn('TimeDistributed Bidirectional RNN StackedRNNCells'));

/** The layers that TensorFlow.js has; compared with the library by a test. */
export const LAYERS: ReadonlySet<string> = new Set([
  ...WRAPPERS,
  ...namesIn(`
    InputLayer Dense Activation Dropout SpatialDropout1D Flatten RepeatVector Reshape Permute Masking Embedding ReLU LeakyReLU
    PReLU ELU ThresholdedReLU Softmax Rescaling CenterCrop CategoryEncoding Resizing RandomWidth Add Multiply Average Maximum
    Minimum Concatenate Dot GaussianNoise GaussianDropout AlphaDropout BatchNormalization LayerNormalization Conv1D Conv2D Conv3D
    Conv2DTranspose Conv3DTranspose SeparableConv2D DepthwiseConv2D Cropping2D UpSampling2D ZeroPadding2D ConvLSTM2D
    ConvLSTM2DCell MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D SimpleRNN SimpleRNNCell GRU GRUCell LSTM
    LSTMCell
  `),
]);

/** The activations that TensorFlow.js has, as Keras writes them. */
export const ACTIVATIONS: ReadonlySet<string> = new Set(
  namesIn(`
    elu selu relu relu6 linear sigmoid hard_sigmoid softplus softsign tanh softmax log_softmax gelu mish swish
  `),
);

/** Layers of which the library does not know how large their output is (4.22). */
export const BROKEN_LAYERS: ReadonlySet<string> = new Set(namesIn('CenterCrop Resizing'));

/** Layers that WebAssembly computes wrong: they are made of `OneHot`. */
export const LAYERS_WRONG_IN_WASM: ReadonlySet<string> = new Set(namesIn('CategoryEncoding'));
