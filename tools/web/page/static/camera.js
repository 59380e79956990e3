// Takes a still from the camera when a button is pressed.  Nothing is recorded.
const element = (id) => document.getElementById(id);

const REASONS = {
  NotAllowedError: "The browser blocked the camera. Allow it in the site's settings, or choose a picture.",
  NotFoundError: "No camera was found. Connect one, or choose a picture.",
  NotReadableError: "Another program uses the camera. Close that program, or choose a picture.",
};

/** Connects the camera's buttons: `analyze` gets a still (a Blob), `complain` an error message. */
export function camera({ analyze, complain }) {
  const video = element("video");
  let stream = null;
  let opening = false;

  function close() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    element("camera").hidden = true;
    element("open-camera").hidden = false;
  }

  async function open() {
    if (opening) return; // the browser is still asking for permission
    complain("");
    if (!navigator.mediaDevices) {
      complain("Browsers allow the camera only on this computer or over https. Choose a picture instead.");
      return;
    }
    opening = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: 1280 } } });
    } catch (error) {
      complain(REASONS[error.name] ?? `The camera cannot be opened: ${error.message}`);
      return;
    } finally {
      opening = false;
    }
    video.srcObject = stream;
    element("camera").hidden = false;
    element("open-camera").hidden = true;
    element("shoot").focus();
    await video.play();
  }

  function shoot() {
    if (!video.videoWidth) return; // no frame yet
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => analyze(blob), "image/jpeg", 0.95);
  }

  element("open-camera").addEventListener("click", open);
  element("shoot").addEventListener("click", shoot);
  element("close-camera").addEventListener("click", () => {
    close();
    element("open-camera").focus();
  });
  addEventListener("pagehide", close);
}
