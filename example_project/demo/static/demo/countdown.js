/** Calls show(seconds left) until that was 0, by the clock and not by counting; returns how to stop it. */
export function countdown(seconds, show) {
  const end = performance.now() + seconds * 1000;
  let timer;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    show(left);
    if (left) timer = setTimeout(tick, 200);
  };
  tick();
  return () => clearTimeout(timer);
}
