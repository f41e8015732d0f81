// What jsdom lacks and a browser has.

class SilentResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
globalThis.ResizeObserver ??= SilentResizeObserver as unknown as typeof ResizeObserver;
