const FASTAPI = ['fastapi==0.165.0', 'uvicorn[standard]==0.54.0', 'orjson==3.13.0', 'pydantic==2.14.3', 'numpy<3'];

/** Of each virtual environment what pip installs. The engine is of the release that the server itself has. */
export const requirements = (onnxruntime) => ({
  fastapi: { packages: [...FASTAPI, `onnxruntime==${onnxruntime}`] },
  'fastapi-cache': {
    // of jinja2 it says nothing, and imports it
    packages: [...FASTAPI, 'fastapi-cache2==0.2.2', 'redis[hiredis]==8.1.0', 'jinja2<4', `onnxruntime==${onnxruntime}`],
  },
  triton: {
    // of pytriton only the server inside its wheel is used, so nothing that its Python part asks for
    alone: ['nvidia-pytriton==0.7.0'],
    packages: ['numpy<2', `onnxruntime==${onnxruntime}`], // its stub was built for numpy 1
  },
  mlserver: { packages: ['mlserver==1.7.1', `onnxruntime==${onnxruntime}`] },
});
