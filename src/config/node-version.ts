const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

// npm only warns of `engines`; without this line an old Node would fail somewhere, some day, with an error that names nothing
if (major < 24 || (major === 24 && minor < 9)) {
  process.stderr.write(
    `analytics-api needs Node 24.9 or newer, this is ${process.versions.node}: start it with "npm start", or install Node 24\n`,
  );
  process.exit(78);
}
