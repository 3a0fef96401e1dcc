import orthanc
from orthanc_plugin.install import install

install(orthanc)
