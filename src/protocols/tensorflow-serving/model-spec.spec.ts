import { DATATYPES } from '../../runtime/tensor';
import { modelSpec } from './model-spec';

describe(modelSpec, () => {
  it('has a name for every datatype', () => {
    const inputs = DATATYPES.map((datatype) => ({ name: datatype, datatype, shape: [] }));
    const text = JSON.stringify(modelSpec({ model: 'm', version: 1, signature: { inputs, outputs: [] } }));
    expect([...text.matchAll(/"dtype":"(\w+)"/g)].map(([, name]) => name)).toEqual(
      ['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'HALF', 'FLOAT', 'DOUBLE', 'STRING'].map(
        (name) => `DT_${name}`,
      ),
    );
  });
});
