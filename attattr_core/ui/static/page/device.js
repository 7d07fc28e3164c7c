// Where the models run, as text; empty until the first visit has found out.
const place = element.querySelector(".aa-device");

function drawDevice() {
  place.textContent = props.value || "";
}

watch("value", drawDevice);
drawDevice();
