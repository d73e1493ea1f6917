// The button of the page's head: light, dark, or as the system has it. Sends 'themechange' when the colours have changed.
(() => {
  const root = document.documentElement;
  const button = document.getElementById('theme');
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const themes = ['system', 'light', 'dark'];
  let theme = 'system';
  function apply() {
    root.classList.toggle('dark', theme === 'dark' || (theme === 'system' && system.matches));
    button.textContent = `Theme: ${theme}`;
    document.dispatchEvent(new Event('themechange'));
  }
  button.addEventListener('click', () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    apply();
  });
  system.addEventListener('change', apply);
  apply();
})();
