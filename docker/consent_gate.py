import orthanc
from orthanc_plugin.install import install

parts = install(orthanc)  # held until Orthanc has stopped: its Python plugin needs the hooks until then
