// Loaded by `node --import` before an app: ends the app when its parent process ends, even by SIGKILL.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
export {};
