// Loaded by `node --import` before an app: when the process that started it is gone, even by SIGKILL, so is the app.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
export {};
