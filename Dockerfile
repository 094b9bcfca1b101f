# audiocls with training, for the CPU; for CUDA:
#   docker build --build-arg TORCH=cu128 --tag audiocls:cuda .
#   docker run --gpus all --ipc host --user "$(id -u):$(id -g)" --volume "$PWD:/work" audiocls:cuda sweep launch dropout
FROM python:3.11-slim
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/audiocls
COPY pyproject.toml README.md LICENSE requirements.lock ./
# PyTorch's wheels carry their own CUDA: the host needs a driver and the container toolkit, no more.
RUN grep -E '^torch==' requirements.lock | sed 's/ *;.*//' > torch.txt \
    && pip install --index-url "https://download.pytorch.org/whl/${TORCH}" --requirement torch.txt
COPY audiocls audiocls
COPY ablations ablations
COPY sweeps sweeps
COPY notebooks notebooks
RUN pip install --constraint requirements.lock '.[train,export]'
ENV AUDIOCLS_CACHE=/work/.audiocls-cache AUDIOCLS_RUNS=/work/runs HOME=/tmp
WORKDIR /work
ENTRYPOINT ["audiocls"]
CMD ["--help"]
