// A file made on request: the value is JSON {name, type, data (base64), id}; every new value is saved by the browser.
watch("value", () => {
  if (!props.value) return;
  const file = JSON.parse(props.value);
  const bytes = Uint8Array.from(atob(file.data), (character) => character.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
