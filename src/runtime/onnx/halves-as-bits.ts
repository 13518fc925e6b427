// The engine's library wraps FP16 outputs in a Float16Array of half their size and fails wherever Node has that class (24 and later);
// without it, it takes and gives their bits. So a process that runs engines has no such class; this comes before the library.
Reflect.deleteProperty(globalThis, 'Float16Array');
