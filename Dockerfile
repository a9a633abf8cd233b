# gan_cli in a container: docker build -t gan-cli .
# With a GPU: docker build -t gan-cli:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
# BASE is any image with Python 3.11 or newer, such as one of pytorch/pytorch.
ARG BASE=python:3.12-slim-bookworm
# hadolint ignore=DL3006
FROM ${BASE}

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

# PyTorch first, for either kind of machine: this layer stays when the code changes.
RUN python -m pip install --index-url "${TORCH_INDEX}" "torch>=2.8" "torchvision>=0.23"

COPY pyproject.toml README.md LICENSE /src/
COPY configs /src/configs
COPY gan_cli /src/gan_cli
RUN python -m pip install "/src[export,video]"

# Caches, too, are in the folder that is mounted, so that later runs need no network.
ENV XDG_CACHE_HOME=/work/.cache \
    MPLCONFIGDIR=/tmp/matplotlib

USER 1000:1000
WORKDIR /work
CMD ["gan-train", "--help"]
