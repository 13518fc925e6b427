import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { externalData, linear, mapOutput, slowLoop, twoMapOutputs } from '../../../test/onnx/models';
import { OnnxRefused } from '../walk/onnx-refused';
import { openOnnx } from './onnx-file';
import { OnnxModel } from './onnx-model';

describe(openOnnx, () => {
  it.each<[string, readonly number[] | readonly string[]]>([
    ['numbers', [0, 1, 7]],
    ['names', ['setosa', 'versicolor', 'virginica']],
  ])('cuts a ZipMap off, says so, and tells its labels: %s', async (_what, labels) => {
    const file = mapOutput(labels);
    const { bytes, options, labels: found } = openOnnx(file);
    expect({ options, found }).toEqual({ options: { zipMap: 'cut off' }, found: labels });
    expect(bytes).not.toEqual(file);
    const model = await OnnxModel.load(bytes);
    expect(model.signature.outputs).toEqual([
      { name: 'label', datatype: 'INT64', shape: [-1] },
      { name: 'output_probability', datatype: 'FP32', shape: [-1, 3] },
    ]);
    await model.release();
  });

  it('looks at what is left after the cut, which is not refused as a map is', () => {
    expect(() => openOnnx(twoMapOutputs())).toThrow(OnnxRefused);
    expect(openOnnx(mapOutput()).facts.unbounded).toEqual([]);
  });

  it('makes the same bytes of the same file every time', () => {
    expect(openOnnx(mapOutput()).bytes).toEqual(openOnnx(mapOutput()).bytes);
  });

  it.each([
    ['a model that was written here', linear([[1]])],
    ['a model of PyTorch', readFileSync(join(__dirname, '../../../test/real-models/torch-mlp.onnx'))],
  ])('leaves a file without a ZipMap as it is, and has no word of labels: %s', (_what, file) => {
    const before = Buffer.from(file);
    const opened = openOnnx(file);
    expect(opened.bytes === file).toBe(true);
    expect(file).toEqual(before);
    expect(opened.options).toEqual({});
    expect(opened).not.toHaveProperty('labels');
  });

  it('tells what the walk found', () => {
    expect(openOnnx(linear([[1]])).facts.unbounded).toEqual([]);
    expect(openOnnx(slowLoop(3)).facts.unbounded).toEqual([expect.stringContaining('Loop')]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['garbage', Buffer.from('garbage')],
    ['a pickle', Buffer.from([0x80, 4, 0x95, ...Buffer.alloc(32), 0x2e])],
    ['a model that is cut off', linear([[1], [2]]).subarray(0, 60)],
    ['a model whose weights are beside it', externalData()],
  ])('refuses %s', (_what, file) => {
    expect(() => openOnnx(file)).toThrow(OnnxRefused);
  });
});
