// A still from the camera, taken on a button.  Nothing is recorded.
const element = (id) => document.getElementById(id);

const REASONS = {
  NotAllowedError: "The browser may not use the camera. Allow it in the address bar's settings, or choose a picture.",
  NotFoundError: "No camera was found. Connect one, or choose a picture.",
  NotReadableError: "Another program uses the camera. Close that one, or choose a picture.",
};

/** Wire the camera's buttons; a still goes to `look`, a reason why there is none to `complain`. */
export function camera({ look, complain }) {
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
    if (opening) return; // the browser still asks
    complain("");
    if (!navigator.mediaDevices) {
      complain("Browsers open the camera only to pages of this computer or with https. Choose a picture.");
      return;
    }
    opening = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: 1280 } } });
    } catch (error) {
      complain(REASONS[error.name] ?? `The camera does not open: ${error.message}`);
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
    if (!video.videoWidth) return; // no frame has come yet
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => look(blob), "image/jpeg", 0.95);
  }

  element("open-camera").addEventListener("click", open);
  element("shoot").addEventListener("click", shoot);
  element("close-camera").addEventListener("click", () => {
    close();
    element("open-camera").focus();
  });
  addEventListener("pagehide", close);
}
